import Core

/// Which bucket and key a request names, by its path and host.
package struct S3Target: Equatable, Sendable {
    /// Not checked: a name that no bucket can have is not found, or refused when it is created.
    package let bucket: String?
    /// Not empty.
    package let key: [UInt8]?

    package init(bucket: String?, key: [UInt8]?) {
        self.bucket = bucket
        self.key = key
    }

    /// - Parameters:
    ///   - path: As sent.
    ///   - host: The `Host` header.
    ///   - domain: `S3_DOMAIN`: requests to `<bucket>.<domain>` are virtual-host style. Empty:
    ///     path style only.
    /// - Throws: `InvalidURI`, `KeyTooLongError`.
    package init(path: String, host: String?, domain: String) throws(S3Error) {
        guard path.utf8.first == UInt8(ascii: "/") else { throw S3Error(.invalidURI) }
        var rest = path.utf8.dropFirst()
        let bucket: String?
        if let name = Self.bucket(inHost: host, domain: domain) {
            bucket = name
        } else if rest.isEmpty {
            bucket = nil
        } else {
            let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
            guard let name = PercentCoding.decode(rest[..<end]),
                let text = String(validating: name, as: UTF8.self)
            else { throw S3Error(.invalidURI) }
            // `//key` names an empty bucket.
            guard !text.isEmpty else { throw S3Error(.invalidBucketName) }
            bucket = text
            rest = end == rest.endIndex ? rest[end...] : rest[rest.index(after: end)...]
        }
        self.bucket = bucket
        guard !rest.isEmpty else {
            key = nil
            return
        }
        guard let key = PercentCoding.decode(rest) else { throw S3Error(.invalidURI) }
        try KeyRules.check(key)
        self.key = key
    }

    /// - Returns: `nil` for a path style request.
    package static func bucket(inHost host: String?, domain: String) -> String? {
        guard !domain.isEmpty, let host else { return nil }
        let name = host.split(separator: ":")[...].first ?? ""
        let suffix = ".\(domain.lowercased())"
        let lower = name.lowercased()
        guard lower.utf8.count > suffix.utf8.count, lower.hasSuffix(suffix) else { return nil }
        return String(lower.dropLast(suffix.count))
    }
}
