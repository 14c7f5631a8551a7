/// Reads the parts of a message from its start to its end. Every read is checked; nothing traps.
struct DNSReader {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func number() -> UInt16? {
        guard let part = take(2) else { return nil }
        return UInt16(part[part.startIndex]) << 8 | UInt16(part[part.startIndex + 1])
    }

    private mutating func number32() -> UInt32? {
        guard let high = number(), let low = number() else { return nil }
        return UInt32(high) << 16 | UInt32(low)
    }

    private mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard bytes.count - position >= count else { return nil }
        defer { position += count }
        return bytes[position..<(position + count)]
    }

    /// A name, perhaps compressed (RFC 1035 section 4.1.4). A pointer must point before everything
    /// read of the name so far, so that there is no way round, and there are
    /// ``DiscoveryLimits/dnsPointersMax`` at most.
    mutating func name() -> DNSName? {
        var labels: [[UInt8]] = []
        var byteCount = 1
        var at = position
        var lowest = position
        var end: Int?
        var pointerCount = 0
        while true {
            guard at < bytes.count else { return nil }
            let length = Int(bytes[at])
            switch length & 0xC0 {
            case 0x00:
                if length == 0 {
                    position = end ?? at + 1
                    return DNSName(labels: labels)
                }
                guard bytes.count - at > length else { return nil }
                byteCount += length + 1
                guard byteCount <= DNSName.bytesMax else { return nil }
                labels.append(Array(bytes[(at + 1)...(at + length)]))
                at += length + 1
            case 0xC0:
                guard at + 1 < bytes.count else { return nil }
                pointerCount += 1
                let target = (length & 0x3F) << 8 | Int(bytes[at + 1])
                guard target < lowest, pointerCount <= DiscoveryLimits.dnsPointersMax else {
                    return nil
                }
                end = end ?? at + 2
                lowest = target
                at = target
            default:
                // 0x40 and 0x80 are reserved.
                return nil
            }
        }
    }

    mutating func record() -> DNSRecord? {
        guard let name = name(), let type = number(), let family = number(),
            let ttl = number32(), let length = number(), bytes.count - position >= Int(length)
        else { return nil }
        let end = position + Int(length)
        let content =
            family == DNSMessage.internet ? content(type: type, end: end) : .other
        guard let content else { return nil }
        position = end
        // With the highest bit set it counts as 0 (RFC 2181 section 8).
        return DNSRecord(name: name, ttl: ttl > UInt32(Int32.max) ? 0 : ttl, content: content)
    }

    /// - Returns: `nil` for data that do not fit their type.
    private mutating func content(type: UInt16, end: Int) -> DNSRecord.Content? {
        let length = end - position
        switch type {
        case 1: return length == 4 ? take(4).map { .address4(Array($0)) } : nil
        case 28: return length == 16 ? take(16).map { .address6(Array($0)) } : nil
        case 5:
            guard let name = name(), position == end else { return nil }
            return .alias(name)
        case 33:
            guard number() != nil, number() != nil, let port = number(), let target = name(),
                position == end
            else { return nil }
            return .service(target: target, port: Int(port))
        case 6:
            guard name() != nil, name() != nil, number32() != nil, number32() != nil,
                number32() != nil, number32() != nil, let minimum = number32(), position == end
            else { return nil }
            return .authority(minimum: minimum)
        default: return .other
        }
    }
}
