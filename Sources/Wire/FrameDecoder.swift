import NIOCore

/// Cuts what arrives into frames. The payload of DATA is handed on as it arrives, not put together.
///
/// Payloads are copies, and nothing of what was fed is kept. The TLS handler reads into one buffer,
/// which grows to the longest burst, over and over: who kept a slice of a hundred bytes would make
/// it copy all of that buffer at the next read.
struct FrameDecoder {
    enum Event: Equatable {
        case frame(FrameHeader, ByteBuffer)
        /// A piece of a DATA frame; `isEnd` with the last piece of the stream's last frame.
        case data(stream: UInt32, ByteBuffer, isEnd: Bool)
    }

    /// Longest payload taken, except of DATA.
    var lengthMax = WireLimits.helloBytesMax
    private var expectsPreface = true
    /// The unread rest of what was fed.
    private var input = ByteBuffer()
    /// The beginning of a frame that has not wholly arrived.
    private var partial = ByteBuffer()
    /// The header of the frame in `partial`, once it is complete.
    private var partialHeader: FrameHeader?
    /// The DATA frame that is being handed on; `length` is what is missing.
    private var data: FrameHeader?

    mutating func feed(_ bytes: ByteBuffer) {
        if input.readableBytes == 0 {
            input = bytes
        } else {
            var bytes = bytes
            input.writeBuffer(&bytes)
        }
    }

    /// - Returns: `nil` when more must be fed first.
    mutating func next() throws(FrameError) -> Event? {
        let event = try nextEvent()
        if event == nil { input = ByteBuffer() }
        return event
    }

    /// - Returns: `nil` when all of the input is used up.
    private mutating func nextEvent() throws(FrameError) -> Event? {
        if expectsPreface {
            guard var preface = take(Preface.byteCount) else { return nil }
            try Preface.check(&preface)
            expectsPreface = false
        }
        if data == nil {
            guard let header = try nextHeader() else { return nil }
            if header.type != .data {
                guard let payload = takePayload(header.length) else { return nil }
                partialHeader = nil
                return .frame(header, payload)
            }
            partialHeader = nil
            data = header
        }
        return nextData()
    }

    private mutating func nextHeader() throws(FrameError) -> FrameHeader? {
        if let partialHeader { return partialHeader }
        guard var bytes = take(WireLimits.frameHeaderBytes) else { return nil }
        // The type is checked by `read`; DATA is bounded by the windows, not by the length.
        let isData = bytes.getInteger(at: bytes.readerIndex + 4) == FrameType.data.rawValue
        let header = try FrameHeader.read(
            from: &bytes, lengthMax: isData ? Int(UInt32.max) : lengthMax)
        partialHeader = header
        return header
    }

    private mutating func nextData() -> Event? {
        guard var header = data else { return nil }
        let count = min(header.length, input.readableBytes)
        guard count > 0 || header.length == 0 else { return nil }
        guard let bytes = input.readSlice(length: count) else { return nil }
        header.length -= count
        data = header.length == 0 ? nil : header
        return .data(
            stream: header.stream, ByteBuffer(buffer: bytes),
            isEnd: header.isEnd && header.length == 0)
    }

    private mutating func takePayload(_ count: Int) -> ByteBuffer? {
        if partial.readableBytes == 0, let bytes = input.readSlice(length: count) {
            return ByteBuffer(buffer: bytes)
        }
        return take(count)
    }

    /// Exactly `count` bytes, or `nil` and what there is kept in `partial`.
    private mutating func take(_ count: Int) -> ByteBuffer? {
        if partial.readableBytes == 0, input.readableBytes >= count {
            return input.readSlice(length: count)
        }
        let missing = count - partial.readableBytes
        if var piece = input.readSlice(length: min(missing, input.readableBytes)) {
            partial.writeBuffer(&piece)
        }
        guard partial.readableBytes == count else { return nil }
        defer { partial = ByteBuffer() }
        return partial
    }
}
