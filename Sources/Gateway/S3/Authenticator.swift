import Core
import S3

/// Finds out who sent a request. Nothing is done for a request before this has said who.
struct Authenticator: Sendable {
    let keys: AccessKeys
    let region: String
    let clocks: any Clocks
    private let cache = SigningKeyCache()

    init(keys: AccessKeys, region: String, clocks: any Clocks) {
        self.keys = keys
        self.region = region
        self.clocks = clocks
    }

    struct Identity: Sendable {
        let proof: SigV4Proof
        let isRoot: Bool
    }

    func authenticate(_ head: S3RequestHead, query: S3Query) throws(S3Error) -> Identity {
        guard let claim = try SigV4Claim.parse(head, query: query) else {
            throw S3Error(.accessDenied)
        }
        guard let entry = keys.entry(claim.accessKey) else {
            throw S3Error(
                .invalidAccessKeyID, details: [("AWSAccessKeyId", claim.accessKey)])
        }
        let proof = try claim.verify(
            head, secret: entry.secret, region: region, now: clocks.wall, keys: cache)
        // Only who has the secret learns that the key is disabled.
        guard entry.isEnabled else {
            throw S3Error(.accessDenied, "This access key is disabled.")
        }
        return Identity(proof: proof, isRoot: entry.isRoot)
    }
}
