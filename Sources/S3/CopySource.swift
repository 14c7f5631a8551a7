/// `x-amz-copy-source`: `/bucket/key` or `bucket/key`, percent-encoded.
package struct CopySource: Equatable, Sendable {
    package let bucket: String
    package let key: [UInt8]

    package init(_ text: String) throws(S3Error) {
        var utf8 = Substring(text).utf8
        if let mark = utf8.firstIndex(of: UInt8(ascii: "?")) {
            let version = Substring(utf8[utf8.index(after: mark)...])
            guard version == "versionId=null" else { throw .notImplemented("versionId") }
            utf8 = utf8[..<mark]
        }
        if utf8.first == UInt8(ascii: "/") { utf8.removeFirst() }
        // Clients may encode the slash after the bucket too.
        guard let path = PercentCoding.decode(utf8),
            let slash = path.firstIndex(of: UInt8(ascii: "/")), slash > 0
        else { throw Self.invalid(text) }
        let key = Array(path[(slash + 1)...])
        guard !key.isEmpty,
            let bucket = String(validating: path[..<slash], as: UTF8.self)
        else { throw Self.invalid(text) }
        try KeyRules.check(key)
        self.bucket = bucket
        self.key = key
    }

    private static func invalid(_ text: String) -> S3Error {
        .invalidArgument(
            "x-amz-copy-source", text,
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
    }

    /// `x-amz-copy-source-range`: both ends, always.
    package static func range(_ text: String) throws(S3Error) -> RangeHeader {
        guard let range = RangeHeader(text), case .between = range else {
            throw .invalidArgument(
                "x-amz-copy-source-range", text,
                "The x-amz-copy-source-range value must be of the form bytes=first-last where "
                    + "first and last are the zero-based offsets of the first and last bytes to "
                    + "copy")
        }
        return range
    }
}
