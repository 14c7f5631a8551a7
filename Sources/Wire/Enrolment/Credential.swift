import Core
import Crypto
import Foundation
import SwiftASN1
import X509

/// What a node without CLUSTER_SECRET has of the cluster: its key, the certificate for it, and whom
/// to trust.
package struct Credential: Sendable, Equatable, Codable {
    /// P-256 private key, DER.
    package var key: [UInt8]
    /// X.509, DER.
    package var certificate: [UInt8]
    /// Certificates of the authorities to trust, the issuer first; X.509, DER.
    package var authorities: [[UInt8]]
    package var cluster: ClusterID
    /// Gateways: what the secrets of access keys are sealed with.
    package var sealKeys: [[UInt8]]

    package init(
        key: [UInt8], certificate: [UInt8], authorities: [[UInt8]], cluster: ClusterID,
        sealKeys: [[UInt8]]
    ) {
        self.key = key
        self.certificate = certificate
        self.authorities = authorities
        self.cluster = cluster
        self.sealKeys = sealKeys
    }
}

/// A credential taken apart and checked, as ``NodeCertificates`` uses it.
struct OpenedCredential {
    let leaf: Certificate
    let authorities: [TrustedAuthority]
    let expiry: WallTime
    /// From then on a new certificate is asked for.
    let renewAt: WallTime

    /// - Throws: ``TrustError/badCredential(_:)`` where it is damaged, of another node, or not of
    ///   the authority that it names. That it may have expired is no error: it can be renewed.
    init(_ credential: Credential, of identity: PeerIdentity) throws(TrustError) {
        guard (1...WireLimits.secretsMax).contains(credential.authorities.count) else {
            throw .badCredential("it names no authority")
        }
        let key: P256.Signing.PrivateKey
        do {
            leaf = try Certificate(derEncoded: credential.certificate)
            key = try P256.Signing.PrivateKey(derRepresentation: credential.key)
        } catch {
            throw .badCredential("it cannot be read: \(error)")
        }
        var authorities: [TrustedAuthority] = []
        for bytes in credential.authorities {
            guard let certificate = try? Certificate(derEncoded: bytes) else {
                throw .badCredential("an authority's certificate cannot be read")
            }
            authorities.append(try TrustedAuthority(certificate: certificate))
        }
        self.authorities = authorities
        guard authorities[0].issued(leaf) else {
            throw .badCredential("the certificate is not of the authority that it names")
        }
        guard leaf.publicKey == Certificate.PublicKey(key.publicKey) else {
            throw .badCredential("the certificate is for another key")
        }
        guard CertificateName.identity(in: leaf) == identity else {
            throw .badCredential("the certificate is of another node")
        }
        expiry = WallTime(
            milliseconds: Int64(leaf.notValidAfter.timeIntervalSince1970 * 1000))
        let begin = Int64(leaf.notValidBefore.timeIntervalSince1970 * 1000)
        let lifetime = expiry.milliseconds - begin - ClusterAuthority.backdate
        renewAt = WallTime(milliseconds: expiry.milliseconds - lifetime / 2)
    }
}

/// `certificate.json` in the data directory: a ``Credential``, the owner's alone.
package struct CredentialFile: Sendable {
    private let path: String

    package init(path: String) { self.path = path }

    /// - Returns: `nil` where there is none, or one that is damaged: the token gets another.
    package func read() -> Credential? {
        guard let bytes = FileManager.default.contents(atPath: path) else { return nil }
        return try? JSONDecoder().decode(Credential.self, from: bytes)
    }

    /// Durable when it returns.
    package func write(_ credential: Credential) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        try DurableFile.replace(path, with: Array(try encoder.encode(credential)))
    }
}
