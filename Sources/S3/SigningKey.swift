import Core
import Synchronization

/// For what a signature is good: one day, one region, one service.
package struct CredentialScope: Hashable, Sendable {
    /// Eight digits.
    package let date: String
    package let region: String
    /// `s3`, or another of AWS: `ec2`.
    package let service: String

    package init(date: String, region: String, service: String = "s3") {
        self.date = date
        self.region = region
        self.service = service
    }

    /// `20130524/us-east-1/s3/aws4_request`
    package var text: String { "\(date)/\(region)/\(service)/aws4_request" }
}

/// The secret of an access key, bound to a scope by four HMACs.
package struct SigningKey: Sendable {
    let bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    package init(secret: String, scope: CredentialScope) {
        var key = HMACSHA256.of(scope.date.utf8, key: Array("AWS4\(secret)".utf8))
        key = HMACSHA256.of(scope.region.utf8, key: key)
        key = HMACSHA256.of(scope.service.utf8, key: key)
        bytes = HMACSHA256.of("aws4_request".utf8, key: key)
    }

    /// 64 lower-case hex digits.
    package func signature(of stringToSign: [UInt8]) -> String {
        Hex.encode(HMACSHA256.of(stringToSign, key: bytes))
    }

    /// The string to sign for a request.
    static func stringToSign(
        timestamp: String, scope: CredentialScope, canonicalRequest: [UInt8]
    ) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(160)
        output.append(contentsOf: "AWS4-HMAC-SHA256\n".utf8)
        output.append(contentsOf: timestamp.utf8)
        output.append(CanonicalRequest.newline)
        output.append(contentsOf: scope.text.utf8)
        output.append(CanonicalRequest.newline)
        output.append(contentsOf: Hex.encode(Digest.of(canonicalRequest, .sha256)).utf8)
        return output
    }
}

/// Signing keys by access key and scope: deriving one costs four HMACs, a look-up one hash.
package final class SigningKeyCache: Sendable {
    private struct Name: Hashable {
        let accessKey: String
        let scope: CredentialScope
    }

    private struct Entry {
        let secret: String
        let key: SigningKey
    }

    private let entries = Mutex<[Name: Entry]>([:])

    package init() {}

    package func key(accessKey: String, secret: String, scope: CredentialScope) -> SigningKey {
        let name = Name(accessKey: accessKey, scope: scope)
        // A key that was deleted and made again has another secret: then the entry is stale.
        if let entry = entries.withLock({ $0[name] }), entry.secret == secret { return entry.key }
        let key = SigningKey(secret: secret, scope: scope)
        entries.withLock { entries in
            // Days pass: what is old goes with the rest, once in a few thousand derivations.
            if entries.count >= S3Limits.signingKeysMax { entries.removeAll() }
            entries[name] = Entry(secret: secret, key: key)
        }
        return key
    }
}
