/// A domain name (RFC 1035 section 3.1): labels of 1...63 bytes, at most 255 bytes on the wire.
/// Compared without case (RFC 4343); kept in lower case.
package struct DNSName: Hashable, Sendable, CustomStringConvertible {
    /// Bytes of each label, without the root's empty one.
    let labels: [[UInt8]]

    static let bytesMax = 255
    static let labelBytesMax = 63

    /// - Returns: `nil` where a label or the whole is too long.
    init?(labels: [[UInt8]]) {
        guard labels.allSatisfy({ (1...Self.labelBytesMax).contains($0.count) }),
            labels.reduce(1, { $0 + $1.count + 1 }) <= Self.bytesMax
        else { return nil }
        self.labels = labels.map { $0.map(Self.lower) }
    }

    /// Reads `a.example.com`, with or without a dot at its end: letters, digits, `-` and `_`, as in
    /// names of hosts and services.
    package init?(_ text: some StringProtocol) {
        let plain = Substring(text.hasSuffix(".") ? text.dropLast() : text[...])
        guard !plain.isEmpty, plain.utf8.allSatisfy({ Self.isNameByte($0) || $0 == Self.dot })
        else { return nil }
        let parts = plain.utf8.split(separator: Self.dot, omittingEmptySubsequences: false)
        self.init(labels: parts.map { Array($0) })
    }

    /// The name with `suffix` behind it.
    func under(_ suffix: DNSName) -> DNSName? { DNSName(labels: labels + suffix.labels) }

    /// Bytes that a host's name has none of are written as `\DDD` (RFC 1035 section 5.1).
    package var description: String {
        labels.map { label in
            label.map { byte in
                if Self.isNameByte(byte) { return String(UnicodeScalar(byte)) }
                let digits = String(byte)
                return "\\" + String(repeating: "0", count: 3 - digits.count) + digits
            }.joined()
        }.joined(separator: ".")
    }

    var isRoot: Bool { labels.isEmpty }

    static let dot = UInt8(ascii: ".")

    private static func lower(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch lower(byte) {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
