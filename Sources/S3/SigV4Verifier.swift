import Core

/// A request whose signature is right.
package struct SigV4Proof: Sendable {
    package let accessKey: String
    package let payload: PayloadMode
    /// What the chunks of an aws-chunked body are signed with.
    package let chunks: ChunkSigning
}

extension SigV4Proof {
    /// For a request whose body is neither signed nor framed.
    init(unsignedPayloadOf accessKey: String) {
        let scope = CredentialScope(date: "", region: "")
        self.init(
            accessKey: accessKey, payload: .unsigned,
            chunks: ChunkSigning(
                key: SigningKey(bytes: []), timestamp: "", scope: scope, seed: ""))
    }
}

/// The chain of signatures of an aws-chunked body starts with the request's own.
package struct ChunkSigning: Sendable {
    let key: SigningKey
    let timestamp: String
    let scope: CredentialScope
    let seed: String
}

extension SigV4Claim {
    /// - Parameters:
    ///   - secret: Of ``accessKey``.
    ///   - region: Of this server: a signature for another is refused.
    package func verify(
        _ head: S3RequestHead, secret: String, region: String, now: WallTime,
        keys: SigningKeyCache
    ) throws(S3Error) -> SigV4Proof {
        try checkRegion(region)
        try checkTime(now)
        try checkSignedHeaders(head)
        let key = keys.key(accessKey: accessKey, secret: secret, scope: scope)
        guard matches(head, key: key, pathForm: .normalized) || matchesAsSent(head, key: key) else {
            throw S3Error(
                .signatureDoesNotMatch, details: [("AWSAccessKeyId", accessKey)])
        }
        return SigV4Proof(
            accessKey: accessKey, payload: payload,
            chunks: ChunkSigning(
                key: key, timestamp: timestamp, scope: scope, seed: String(signature)))
    }

    private func matchesAsSent(_ head: S3RequestHead, key: SigningKey) -> Bool {
        guard head.path.utf8.contains(UInt8(ascii: "%")) else { return false }
        return matches(head, key: key, pathForm: .asSent)
    }

    private func matches(
        _ head: S3RequestHead, key: SigningKey, pathForm: CanonicalRequest.PathForm
    ) -> Bool {
        let canonical = CanonicalRequest.bytes(
            of: head, signedHeaders: signedHeaders, payloadHash: payloadText, pathForm: pathForm)
        let text = SigningKey.stringToSign(
            timestamp: timestamp, scope: scope, canonicalRequest: canonical)
        return isEqualInConstantTime(Array(key.signature(of: text).utf8), Array(signature.utf8))
    }

    private func checkRegion(_ region: String) throws(S3Error) {
        guard scope.region != region else { return }
        let code: S3ErrorCode =
            isPresigned ? .authorizationQueryParametersError : .authorizationHeaderMalformed
        let place =
            isPresigned
            ? "Error parsing the X-Amz-Credential parameter"
            : "The authorization header is malformed"
        throw S3Error(
            code, "\(place); the region '\(scope.region)' is wrong; expecting '\(region)'",
            details: [("Region", region)])
    }

    private func checkTime(_ now: WallTime) throws(S3Error) {
        let age = (now.milliseconds - time.milliseconds) / 1000
        if isPresigned {
            if age < -Int64(S3Limits.clockSkewSeconds) {
                throw S3Error(.accessDenied, "Request is not yet valid")
            }
            if age > expiresSeconds {
                let expired = WallTime(milliseconds: time.milliseconds + expiresSeconds * 1000)
                throw S3Error(
                    .accessDenied, "Request has expired",
                    details: [
                        ("X-Amz-Expires", "\(expiresSeconds)"),
                        ("Expires", ISODate.format(expired)), ("ServerTime", ISODate.format(now)),
                    ])
            }
        } else if abs(age) > Int64(S3Limits.clockSkewSeconds) {
            throw S3Error(
                .requestTimeTooSkewed,
                details: [
                    ("RequestTime", timestamp), ("ServerTime", ISODate.format(now)),
                    ("MaxAllowedSkewMilliseconds", "\(S3Limits.clockSkewSeconds * 1000)"),
                ])
        }
    }

    /// `host` and every `x-amz-…` header must be under the signature, else somebody in between
    /// could add what the client did not ask for.
    private func checkSignedHeaders(_ head: S3RequestHead) throws(S3Error) {
        guard signedHeaders.contains("host") else {
            throw S3Error(.accessDenied, "The host header must be signed.")
        }
        if head.headers.has("x-amz-security-token") { throw S3Error(.invalidToken) }
        for field in head.headers where field.name.utf8.starts(with: "x-amz-".utf8) {
            // A presigned request's payload hash may come as a header that was not signed, as
            // long as it claims nothing.
            let isHarmless =
                isPresigned && field.name == "x-amz-content-sha256"
                && field.value == PayloadMode.unsignedText
            guard isHarmless || signedHeaders.contains(where: { $0 == field.name }) else {
                throw S3Error(
                    .accessDenied,
                    "There were headers present in the request which were not signed",
                    details: [("HeadersNotSigned", field.name)])
            }
        }
    }
}
