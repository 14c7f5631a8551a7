import NIOCore

/// Looks at the first bytes of a connection without taking them. Pure; any bytes are allowed.
///
/// A TLS ClientHello (RFC 8446 section 4.1.2) may be cut into several records, and those arrive in
/// pieces of any size.
enum FirstBytes {
    enum Verdict: Equatable {
        case needMore
        /// The application protocols that the client offers (RFC 7301), in its order.
        case tls(alpn: [String])
        case http
        case garbage
    }

    private static let recordHeaderBytes = 5
    private static let handshakeRecord: UInt8 = 22
    private static let clientHello: UInt8 = 1
    private static let alpnExtension: UInt16 = 16

    static func look(at buffer: ByteBuffer) -> Verdict {
        guard let first = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) else {
            return .needMore
        }
        if first == handshakeRecord { return lookAtTLS(buffer) }
        return lookAtHTTP(buffer)
    }

    /// A method in capital letters; whatever follows is for the HTTP parser to judge.
    private static func lookAtHTTP(_ buffer: ByteBuffer) -> Verdict {
        for (index, byte) in buffer.readableBytesView.prefix(16).enumerated() {
            if (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) { continue }
            return byte == UInt8(ascii: " ") && index > 0 ? .http : .garbage
        }
        return buffer.readableBytes < 16 ? .needMore : .garbage
    }

    private static func lookAtTLS(_ buffer: ByteBuffer) -> Verdict {
        var records = buffer
        var handshake = ByteBuffer()
        // Nobody cuts a hello finer, except to make us work.
        for _ in 0..<WireLimits.helloRecordsMax {
            // Judge a header as soon as its bytes come: garbage is not waited for.
            if let major = records.getInteger(at: records.readerIndex + 1, as: UInt8.self),
                major != 3
            {
                return .garbage
            }
            guard records.readableBytes >= recordHeaderBytes,
                let type = records.readInteger(as: UInt8.self),
                let _ = records.readInteger(as: UInt16.self),
                let length = records.readInteger(as: UInt16.self)
            else { return tooLong(buffer) ? .garbage : .needMore }
            guard type == handshakeRecord, length > 0, length <= 1 << 14 else { return .garbage }
            let isWhole = records.readableBytes >= Int(length)
            let piece = min(Int(length), records.readableBytes)
            if var bytes = records.readSlice(length: piece) { handshake.writeBuffer(&bytes) }
            switch hello(in: handshake) {
            case .needMore where isWhole: continue
            case .needMore: return tooLong(buffer) ? .garbage : .needMore
            case let verdict: return verdict
            }
        }
        return .garbage
    }

    private static func tooLong(_ buffer: ByteBuffer) -> Bool {
        buffer.readableBytes > WireLimits.sniffBytesMax
    }

    private static func hello(in handshake: ByteBuffer) -> Verdict {
        var handshake = handshake
        guard let type = handshake.readInteger(as: UInt8.self) else { return .needMore }
        guard type == clientHello else { return .garbage }
        guard let high = handshake.readInteger(as: UInt8.self),
            let low = handshake.readInteger(as: UInt16.self)
        else { return .needMore }
        let length = Int(high) << 16 | Int(low)
        guard length <= WireLimits.sniffBytesMax else { return .garbage }
        guard let body = handshake.readSlice(length: length) else { return .needMore }
        return offers(in: body).map { .tls(alpn: $0) } ?? .garbage
    }

    /// - Returns: `nil` when the hello is malformed.
    private static func offers(in hello: ByteBuffer) -> [String]? {
        var hello = hello
        // legacy_version and random; then session id, cipher suites, compression methods.
        guard hello.readSlice(length: 34) != nil,
            hello.readLengthPrefixedSlice(as: UInt8.self) != nil,
            hello.readLengthPrefixedSlice(as: UInt16.self) != nil,
            hello.readLengthPrefixedSlice(as: UInt8.self) != nil
        else { return nil }
        if hello.readableBytes == 0 { return [] }
        guard var extensions = hello.readLengthPrefixedSlice(as: UInt16.self),
            hello.readableBytes == 0
        else { return nil }
        var offers: [String] = []
        while extensions.readableBytes > 0 {
            guard let type = extensions.readInteger(as: UInt16.self),
                var content = extensions.readLengthPrefixedSlice(as: UInt16.self)
            else { return nil }
            guard type == alpnExtension else { continue }
            guard var names = content.readLengthPrefixedSlice(as: UInt16.self) else { return nil }
            while names.readableBytes > 0 {
                guard let name = names.readLengthPrefixedSlice(as: UInt8.self) else { return nil }
                offers.append(String(decoding: name.readableBytesView, as: UTF8.self))
            }
        }
        return offers
    }
}
