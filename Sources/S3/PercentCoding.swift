/// Percent-encoding (RFC 3986 section 2.1) in the dialect of AWS signatures: everything but
/// `A-Z a-z 0-9 - . _ ~` is encoded, with upper-case digits.
package enum PercentCoding {
    private static let digits = Array("0123456789ABCDEF".utf8)

    static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    static func append(_ byte: UInt8, to output: inout [UInt8], keepsSlash: Bool) {
        if isUnreserved(byte) || keepsSlash && byte == UInt8(ascii: "/") {
            output.append(byte)
        } else {
            output.append(UInt8(ascii: "%"))
            output.append(digits[Int(byte >> 4)])
            output.append(digits[Int(byte & 15)])
        }
    }

    package static func encode(_ bytes: some Sequence<UInt8>, keepsSlash: Bool = false) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.underestimatedCount * 2)
        for byte in bytes { append(byte, to: &output, keepsSlash: keepsSlash) }
        return output
    }

    package static func encoded(_ text: String, keepsSlash: Bool = false) -> String {
        String(decoding: encode(text.utf8, keepsSlash: keepsSlash), as: UTF8.self)
    }

    /// - Parameter plusIsSpace: True in queries.
    /// - Returns: `nil` for a `%` that is not followed by two hex digits.
    package static func decode(_ bytes: some Sequence<UInt8>, plusIsSpace: Bool = false)
        -> [UInt8]?
    {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.underestimatedCount)
        var iterator = bytes.makeIterator()
        while let byte = iterator.next() {
            if byte == UInt8(ascii: "%") {
                guard let first = iterator.next().flatMap(value),
                    let second = iterator.next().flatMap(value)
                else { return nil }
                output.append(first << 4 | second)
            } else {
                output.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
            }
        }
        return output
    }

    private static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
