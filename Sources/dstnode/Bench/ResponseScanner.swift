import NIOCore

/// Finds where an HTTP/1.1 response ends, and counts its body without copying it. A client that
/// measures a server must cost little itself.
struct ResponseScanner {
    private enum State {
        case head
        case body(left: Int)
        case chunkHead
        case chunk(left: Int)
        case trailer
    }

    struct Response: Equatable {
        var status: Int
        var bodyBytes: Int
        var closes: Bool
    }

    enum ScanError: Error { case malformed }

    static let headBytesMax = 64 << 10

    private var state = State.head
    /// Bytes that don't make a whole line or head yet.
    private var held: [UInt8] = []
    private var response = Response(status: 0, bodyBytes: 0, closes: false)

    /// - Parameter isHead: The request was HEAD: whatever the length says, there is no body.
    /// - Returns: The response once it is whole. What follows it stays in `buffer`.
    mutating func scan(_ buffer: inout ByteBuffer, isHead: Bool) throws -> Response? {
        while true {
            switch state {
            case .head:
                guard let head = try take(until: Self.headEnd, from: &buffer) else { return nil }
                if try begin(head, isHead: isHead) { return finish() }
            case .body(let left):
                let count = min(left, buffer.readableBytes)
                buffer.moveReaderIndex(forwardBy: count)
                response.bodyBytes += count
                if count == left { return finish() }
                state = .body(left: left - count)
                return nil
            case .chunkHead:
                guard let line = try take(until: Self.lineEnd, from: &buffer) else { return nil }
                let digits = line.prefix { $0 != 0x0D && $0 != UInt8(ascii: ";") }
                guard let size = Int(String(decoding: digits, as: UTF8.self), radix: 16) else {
                    throw ScanError.malformed
                }
                response.bodyBytes += size
                // The chunk's own line end follows its bytes.
                state = size == 0 ? .trailer : .chunk(left: size + 2)
            case .chunk(let left):
                let count = min(left, buffer.readableBytes)
                buffer.moveReaderIndex(forwardBy: count)
                state = count == left ? .chunkHead : .chunk(left: left - count)
                if count < left { return nil }
            case .trailer:
                guard let line = try take(until: Self.lineEnd, from: &buffer) else { return nil }
                if line.count == 2 { return finish() }
            }
        }
    }

    private static let headEnd = Array("\r\n\r\n".utf8)
    private static let lineEnd = Array("\r\n".utf8)

    private mutating func finish() -> Response {
        defer {
            state = .head
            response = Response(status: 0, bodyBytes: 0, closes: false)
        }
        return response
    }

    /// - Returns: Whether the response is whole with its head.
    private mutating func begin(_ head: [UInt8], isHead: Bool) throws -> Bool {
        let lines = String(decoding: head, as: UTF8.self).lowercased().split(separator: "\r\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count >= 2, let status = Int(words[1]) else { throw ScanError.malformed }
        // 100 Continue and the like come before the real one.
        if status < 200 { return false }
        response.status = status
        var length: Int?
        var isChunked = false
        for line in lines.dropFirst() {
            if line.hasPrefix("content-length:") {
                length = Int(line.dropFirst("content-length:".count).filter { $0 != " " })
            } else if line.hasPrefix("transfer-encoding:") {
                isChunked = line.hasSuffix("chunked")
            } else if line.hasPrefix("connection:") {
                response.closes = line.hasSuffix("close")
            }
        }
        if isHead || status == 204 || status == 304 { return true }
        if isChunked {
            state = .chunkHead
            return false
        }
        guard let length, length >= 0 else { throw ScanError.malformed }
        state = .body(left: length)
        return length == 0
    }

    /// Bytes up to and including `end`; `nil` until they are all there.
    private mutating func take(
        until end: [UInt8], from buffer: inout ByteBuffer
    ) throws -> [UInt8]? {
        while let byte = buffer.readInteger(as: UInt8.self) {
            held.append(byte)
            if byte == 0x0A, held.count >= end.count, held.suffix(end.count).elementsEqual(end) {
                defer { held.removeAll(keepingCapacity: true) }
                return held
            }
            if held.count > Self.headBytesMax { throw ScanError.malformed }
        }
        return nil
    }
}
