/// The parameters of the listings, checked as S3 checks them.
package struct ListParameters: Equatable, Sendable {
    package let prefix: String
    package let delimiter: String
    /// 0...1,000.
    package let limit: Int
    /// Names come back percent-encoded: keys may hold what XML cannot.
    package let isURLEncoded: Bool

    /// - Parameter limitName: `max-keys`, `max-uploads`.
    package init(_ query: S3Query, limitName: String) throws(S3Error) {
        prefix = query["prefix"] ?? ""
        delimiter = query["delimiter"] ?? ""
        limit = try Self.limit(query, limitName)
        switch query["encoding-type"] {
        case nil, "": isURLEncoded = false
        case "url": isURLEncoded = true
        case let other?:
            throw .invalidArgument(
                "encoding-type", other, "Invalid Encoding Method specified in Request")
        }
    }

    /// Larger limits are cut, as S3 does.
    package static func limit(
        _ query: S3Query, _ name: String, max: Int = S3Limits.pageMax
    ) throws(S3Error) -> Int {
        guard let text = query[name], !text.isEmpty else { return max }
        guard let value = Int(text), value >= 0, value <= Int(Int32.max) else {
            throw .invalidArgument(
                name, text,
                "Argument \(name) must be an integer between 0 and "
                    + "2147483647")
        }
        return min(value, max)
    }

    /// A key, prefix or marker as the listing shows it.
    package func shown(_ name: some Sequence<UInt8>) -> [UInt8] {
        isURLEncoded ? PercentCoding.encode(name, keepsSlash: true) : Array(name)
    }
}
