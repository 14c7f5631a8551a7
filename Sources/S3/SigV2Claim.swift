import Core

/// A request presigned with Signature Version 2 ("Signing and Authenticating REST Requests", Amazon
/// S3 User Guide).
///
/// Only for presigned URLs, because stock clients still make them when nobody tells them otherwise:
/// `aws s3 presign` and boto3's `generate_presigned_url` in `us-east-1`. The signature does not
/// cover most parameters, so it is good for reading and writing single objects and nothing else
/// (``allows(_:)``).
package struct SigV2Claim: Sendable {
    package let accessKey: String
    private let signature: String
    private let expires: String

    /// - Returns: `nil` for a request that is not presigned in this way.
    package static func parse(_ head: S3RequestHead, query: S3Query) -> SigV2Claim? {
        guard let accessKey = query["AWSAccessKeyId"], let signature = query["Signature"],
            let expires = query["Expires"], !head.headers.has("authorization"),
            !query.has("X-Amz-Algorithm")
        else { return nil }
        return SigV2Claim(accessKey: accessKey, signature: signature, expires: expires)
    }

    package static func allows(_ operation: S3Operation) -> Bool {
        switch operation {
        case .getObject, .headObject, .putObject, .uploadPart: true
        default: false
        }
    }

    /// - Parameter bucketOfHost: The bucket that a virtual-host style request names by its host.
    package func verify(
        _ head: S3RequestHead, bucketOfHost: String?, secret: String, now: WallTime
    ) throws(S3Error) -> SigV4Proof {
        guard let seconds = Int64(expires) else {
            throw S3Error(.accessDenied, "Invalid date (should be seconds since epoch): \(expires)")
        }
        guard now.milliseconds / 1000 <= seconds else {
            throw S3Error(
                .accessDenied, "Request has expired",
                details: [("ServerTime", ISODate.format(now))])
        }
        let lifetime = seconds - now.milliseconds / 1000
        guard lifetime <= Int64(S3Limits.presignedSecondsMax + S3Limits.clockSkewSeconds) else {
            throw S3Error(.accessDenied, "A presigned request may be valid for a week at most.")
        }
        if head.headers.has("x-amz-security-token") { throw S3Error(.invalidToken) }
        if let payload = head.headers["x-amz-content-sha256"], payload != PayloadMode.unsignedText {
            throw .notImplemented("x-amz-content-sha256 with Signature Version 2")
        }
        let isRight = Self.paths(head).contains { path in
            let text = Self.stringToSign(
                head, path: path, bucketOfHost: bucketOfHost, expires: expires)
            let expected = Base64.encode(HMACSHA1.of(text, key: Array(secret.utf8)))
            return isEqualInConstantTime(Array(expected.utf8), Array(signature.utf8))
        }
        guard isRight else {
            throw S3Error(.signatureDoesNotMatch, details: [("AWSAccessKeyId", accessKey)])
        }
        return SigV4Proof(unsignedPayloadOf: accessKey)
    }

    /// Presigns, as old clients do: for tests.
    ///
    /// - Returns: The parameters to add to the query.
    package static func presign(
        _ head: S3RequestHead, accessKey: String, secret: String, expires: Int64
    ) -> String {
        let text = stringToSign(
            head, path: head.path, bucketOfHost: nil, expires: "\(expires)")
        let signature = Base64.encode(HMACSHA1.of(text, key: Array(secret.utf8)))
        return "AWSAccessKeyId=\(PercentCoding.encoded(accessKey))"
            + "&Signature=\(PercentCoding.encoded(signature))&Expires=\(expires)"
    }

    /// What a client may have signed: for a bucket by path style, botocore signs `/bucket/` and
    /// sends `/bucket`.
    private static func paths(_ head: S3RequestHead) -> [String] {
        let isBucket = head.path.count > 1 && !head.path.dropFirst().contains("/")
        return isBucket ? [head.path, head.path + "/"] : [head.path]
    }

    private static func stringToSign(
        _ head: S3RequestHead, path: String, bucketOfHost: String?, expires: String
    ) -> [UInt8] {
        var text = "\(head.method)\n\(head.headers["content-md5"] ?? "")\n"
        text += "\(head.headers["content-type"] ?? "")\n\(expires)\n"
        let names = Set(head.headers.map(\.name).filter { $0.hasPrefix("x-amz-") }).sorted()
        for name in names {
            let values = head.headers.filter { $0.name == name }.map(\.value.trimmingSpaces)
            text += "\(name):\(values.joined(separator: ","))\n"
        }
        if let bucketOfHost { text += "/\(bucketOfHost)" }
        text += path
        text += subresources(head.query)
        return Array(text.utf8)
    }

    private static let signedParameters: Set<String> = [
        "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory",
        "lifecycle", "location", "logging", "metrics", "notification", "object-lock",
        "partNumber", "policy", "replication", "requestPayment", "response-cache-control",
        "response-content-disposition", "response-content-encoding",
        "response-content-language", "response-content-type", "response-expires", "restore",
        "select", "select-type", "storageClass", "tagging", "torrent", "uploadId", "uploads",
        "versionId", "versioning", "versions", "website",
    ]

    /// The parameters that are signed, sorted by name, values decoded.
    private static func subresources(_ query: String) -> String {
        guard !query.isEmpty else { return "" }
        let parts = query.split(separator: "&").compactMap { part -> (String, String)? in
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(pair[0])
            guard signedParameters.contains(name) else { return nil }
            guard pair.count == 2 else { return (name, name) }
            let value = PercentCoding.decode(pair[1].utf8) ?? Array(pair[1].utf8)
            return (name, "\(name)=\(String(decoding: value, as: UTF8.self))")
        }
        guard !parts.isEmpty else { return "" }
        return "?" + parts.sorted { $0.0 < $1.0 }.map(\.1).joined(separator: "&")
    }
}

/// HMAC-SHA1 (RFC 2104): for Signature Version 2 alone.
enum HMACSHA1 {
    private static let blockBytes = 64

    static func of(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        var block = key.count > blockBytes ? Digest.of(key, .sha1) : key
        block += [UInt8](repeating: 0, count: blockBytes - block.count)
        let inner = Digest.of(block.map { $0 ^ 0x36 } + message, .sha1)
        return Digest.of(block.map { $0 ^ 0x5C } + inner, .sha1)
    }
}
