import Core

/// Conditions on what is there, for reads and for the source of a copy (RFC 9110 section 13).
package struct ReadConditionHeaders: Equatable, Sendable {
    /// ETags without quotes, `*` for any; empty: no condition.
    package let ifMatch: [String]
    package let ifNoneMatch: [String]
    /// A date that cannot be read is ignored, as RFC 9110 demands.
    package let ifModifiedSince: WallTime?
    package let ifUnmodifiedSince: WallTime?

    package init(_ headers: S3Headers) { self.init(headers, prefix: "") }

    /// The form for the source of a copy: `x-amz-copy-source-if-…`.
    package init(copySourceOf headers: S3Headers) {
        self.init(headers, prefix: "x-amz-copy-source-")
    }

    private init(_ headers: S3Headers, prefix: String) {
        ifMatch = Self.tags(headers[prefix + "if-match"])
        ifNoneMatch = Self.tags(headers[prefix + "if-none-match"])
        ifModifiedSince = headers[prefix + "if-modified-since"].flatMap(HTTPDate.parse)
        ifUnmodifiedSince = headers[prefix + "if-unmodified-since"].flatMap(HTTPDate.parse)
    }

    private static func tags(_ list: String?) -> [String] {
        guard let list else { return [] }
        return list.split(separator: ",").map { item in
            var tag = String(item).trimmingSpaces
            if tag.hasPrefix("W/") { tag.removeFirst(2) }
            return ETag.withoutQuotes(tag)
        }
    }
}

/// Conditions on a write.
package struct WriteConditionHeaders: Equatable, Sendable {
    /// ETag without quotes, or `*`.
    package let ifMatch: String?
    /// `If-None-Match: *`: nothing may be there.
    package let isCreateOnly: Bool

    /// - Throws: `NotImplemented` for conditions that S3 has not on writes.
    package init(_ headers: S3Headers) throws(S3Error) {
        ifMatch = headers["if-match"].map { ETag.withoutQuotes($0.trimmingSpaces) }
        if let text = headers["if-none-match"] {
            guard text.trimmingSpaces == "*" else {
                throw .notImplemented("If-None-Match: \(text)")
            }
            isCreateOnly = true
        } else {
            isCreateOnly = false
        }
        for name in ["if-modified-since", "if-unmodified-since"] where headers.has(name) {
            throw .notImplemented(name)
        }
        guard ifMatch == nil || !isCreateOnly else {
            throw .notImplemented("If-Match with If-None-Match")
        }
    }
}
