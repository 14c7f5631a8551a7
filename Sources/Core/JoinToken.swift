/// What lets a node without CLUSTER_SECRET join: whom to trust, and a secret that the cluster knows
/// the hash of.
///
/// ```
/// dst1.storage.<fingerprint of the authority, 64 hex>.<id, 16 hex>.<secret, 64 hex>
/// ```
///
/// The role stands there for people and for the node itself; what counts is what the cluster has
/// written down for the id.
package struct JoinToken: Sendable, Equatable {
    package static let idBytes = 8
    package static let secretBytes = 32
    private static let version = "dst1"

    package let role: NodeRole
    /// SHA-256 of the authority's public key (SubjectPublicKeyInfo, DER), in hex.
    package let fingerprint: String
    package let id: [UInt8]
    package let secret: [UInt8]

    /// A new token.
    ///
    /// - Parameter role: Not a coordinator: those hold the secret itself.
    package init(
        role: NodeRole, fingerprint: String, using random: inout some RandomNumberGenerator
    ) {
        precondition(role != .coordinator, "coordinators hold CLUSTER_SECRET")
        self.role = role
        self.fingerprint = fingerprint
        id = (0..<Self.idBytes).map { _ in UInt8.random(in: 0...255, using: &random) }
        secret = (0..<Self.secretBytes).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    /// - Returns: `nil` for anything that ``text`` does not write.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0] == Self.version,
            let role = NodeRole(rawValue: String(parts[1])), role != .coordinator,
            let fingerprint = Hex.decode(parts[2].utf8), fingerprint.count == 32,
            let id = Hex.decode(parts[3].utf8), id.count == Self.idBytes,
            let secret = Hex.decode(parts[4].utf8), secret.count == Self.secretBytes
        else { return nil }
        self.role = role
        self.fingerprint = Hex.encode(fingerprint)
        self.id = id
        self.secret = secret
    }

    package var text: String {
        [
            Self.version, role.rawValue, fingerprint, Hex.encode(id), Hex.encode(secret),
        ].joined(separator: ".")
    }

    /// What the cluster keeps of the secret. The secret is random and long: a plain hash does.
    package static func hash(ofSecret secret: [UInt8]) -> [UInt8] { Digest.of(secret, .sha256) }
}
