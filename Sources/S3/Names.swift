import Core

/// Bucket names ("Bucket naming rules", Amazon S3 User Guide).
package enum BucketName {
    /// 3...63 of `a-z 0-9 . -`, letters or digits at both ends, no `..`, not an IP address, none of
    /// S3's reserved prefixes and suffixes.
    package static func isValid(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard (3...63).contains(bytes.count), isLetterOrDigit(bytes[0]),
            isLetterOrDigit(bytes[bytes.count - 1])
        else { return false }
        var previous: UInt8 = 0
        for byte in bytes {
            guard isLetterOrDigit(byte) || byte == dot || byte == UInt8(ascii: "-") else {
                return false
            }
            if byte == dot && previous == dot { return false }
            previous = byte
        }
        if isAddress(bytes) { return false }
        return !["xn--", "sthree-", "amzn-s3-demo-"].contains { name.hasPrefix($0) }
            && !["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].contains {
                name.hasSuffix($0)
            }
    }

    private static let dot = UInt8(ascii: ".")

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || isDigit(byte)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isAddress(_ bytes: [UInt8]) -> Bool {
        let parts = bytes.split(separator: dot, omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { (1...3).contains($0.count) && $0.allSatisfy(isDigit) }
    }
}

/// Object keys: 1...1,024 bytes of UTF-8.
package enum KeyRules {
    /// - Throws: `KeyTooLongError`, `InvalidURI`.
    package static func check(_ key: [UInt8]) throws(S3Error) {
        guard key.count <= Limits.objectKeyBytesMax else {
            throw S3Error(
                .keyTooLong,
                details: [
                    ("Size", "\(key.count)"), ("MaxSizeAllowed", "\(Limits.objectKeyBytesMax)"),
                ])
        }
        guard !key.isEmpty, String(validating: key, as: UTF8.self) != nil else {
            throw S3Error(.invalidURI)
        }
    }
}

/// ETags as S3 uses them: opaque, strong, in quotes on the wire.
package enum ETag {
    /// Of bytes, as HTTP has it: an accent that follows a quote does not become one with it.
    package static func withoutQuotes(_ text: String) -> String {
        let bytes = text.utf8
        let quote = UInt8(ascii: "\"")
        guard bytes.count >= 2, bytes.first == quote, bytes.last == quote else { return text }
        return String(decoding: bytes.dropFirst().dropLast(), as: UTF8.self)
    }

    package static func quoted(_ tag: String) -> String { "\"\(tag)\"" }
}
