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
        /// The signature covers little: good for single objects only.
        var isVersion2 = false
    }

    /// - Parameter bucketOfHost: The bucket that the request names by its host.
    func authenticate(
        _ head: S3RequestHead, query: S3Query, bucketOfHost: String?
    ) throws(S3Error) -> Identity {
        if let claim = try SigV4Claim.parse(head, query: query) {
            let entry = try entry(claim.accessKey)
            let proof = try claim.verify(
                head, secret: entry.secret, region: region, now: clocks.wall, keys: cache)
            try check(entry)
            return Identity(proof: proof, isRoot: entry.isRoot)
        }
        guard let claim = SigV2Claim.parse(head, query: query) else {
            throw S3Error(.accessDenied)
        }
        let entry = try entry(claim.accessKey)
        let proof = try claim.verify(
            head, bucketOfHost: bucketOfHost, secret: entry.secret, now: clocks.wall)
        try check(entry)
        return Identity(proof: proof, isRoot: entry.isRoot, isVersion2: true)
    }

    private func entry(_ accessKey: String) throws(S3Error) -> AccessKeys.Entry {
        guard let entry = keys.entry(accessKey) else {
            throw S3Error(.invalidAccessKeyID, details: [("AWSAccessKeyId", accessKey)])
        }
        return entry
    }

    /// Only who has the secret learns that the key is disabled.
    private func check(_ entry: AccessKeys.Entry) throws(S3Error) {
        guard entry.isEnabled else {
            throw S3Error(.accessDenied, "This access key is disabled.")
        }
    }
}
