import Core

/// Signs requests as a client does: for tests, `dstnode bench`, the command line, and what a node
/// asks AWS.
package struct SigV4Signer: Sendable {
    package let accessKey: String
    package let secret: String
    package let region: String
    package let service: String

    /// - Parameter service: Others than `s3` encode the path twice ("Create a signed AWS API
    ///   request", step 1): good for them where the path needs no encoding, such as `/`.
    package init(accessKey: String, secret: String, region: String, service: String = "s3") {
        self.accessKey = accessKey
        self.secret = secret
        self.region = region
        self.service = service
    }

    private func scope(_ timestamp: String) -> CredentialScope {
        CredentialScope(date: String(timestamp.prefix(8)), region: region, service: service)
    }

    /// Adds `x-amz-date`, `x-amz-content-sha256` and `authorization` to the head. All its headers
    /// are signed; `host` must be among them.
    ///
    /// - Parameter payload: The SHA-256 of the body in hex, `UNSIGNED-PAYLOAD` or a `STREAMING-…`
    ///   word.
    /// - Returns: What a chunked body is signed with.
    @discardableResult
    package func sign(_ head: inout S3RequestHead, payload: String, now: WallTime) -> ChunkSigning {
        precondition(head.headers.has("host"), "the host is always signed")
        let timestamp = ISODate.formatBasic(now)
        let scope = scope(timestamp)
        head.headers.append("x-amz-date", timestamp)
        head.headers.append("x-amz-content-sha256", payload)
        let names = Set(head.headers.map(\.name)).sorted()
        let (key, signature) = sign(
            head, names: names, payload: payload, timestamp: timestamp, scope: scope)
        head.headers.append(
            "authorization",
            "\(SigV4Claim.algorithm) Credential=\(accessKey)/\(scope.text), "
                + "SignedHeaders=\(names.joined(separator: ";")), Signature=\(signature)")
        return ChunkSigning(key: key, timestamp: timestamp, scope: scope, seed: signature)
    }

    /// Adds the parameters that let anybody send the request for `seconds` from `now`.
    package func presign(_ head: inout S3RequestHead, seconds: Int, now: WallTime) {
        precondition(head.headers.has("host"), "the host is always signed")
        let timestamp = ISODate.formatBasic(now)
        let scope = scope(timestamp)
        let names = Set(head.headers.map(\.name)).sorted()
        let parameters = [
            ("X-Amz-Algorithm", SigV4Claim.algorithm),
            ("X-Amz-Credential", "\(accessKey)/\(scope.text)"), ("X-Amz-Date", timestamp),
            ("X-Amz-Expires", "\(seconds)"),
            ("X-Amz-SignedHeaders", names.joined(separator: ";")),
        ]
        for (name, value) in parameters {
            head.query += head.query.isEmpty ? "" : "&"
            head.query += "\(name)=\(PercentCoding.encoded(value))"
        }
        let (_, signature) = sign(
            head, names: names, payload: PayloadMode.unsignedText, timestamp: timestamp,
            scope: scope)
        head.query += "&X-Amz-Signature=\(signature)"
    }

    private func sign(
        _ head: S3RequestHead, names: [String], payload: String, timestamp: String,
        scope: CredentialScope
    ) -> (SigningKey, String) {
        let canonical = CanonicalRequest.bytes(
            of: head, signedHeaders: names.map { $0[...] }, payloadHash: payload)
        let key = SigningKey(secret: secret, scope: scope)
        let text = SigningKey.stringToSign(
            timestamp: timestamp, scope: scope, canonicalRequest: canonical)
        return (key, key.signature(of: text))
    }
}
