import Core
import Crypto
import Foundation
import NIOSSL
import SwiftASN1
import X509

/// The cluster's certificate authority. Its key is derived from CLUSTER_SECRET, so every holder of
/// the secret is the same authority and nobody has to keep a key file.
///
/// ```
/// CLUSTER_SECRET ──HKDF-SHA256──▶ P-256 key ──signs──▶ node certificates (24 h)
///                                    └── SHA-256 of its public key: the fingerprint
/// ```
package struct ClusterAuthority: Sendable {
    /// Certificates begin in the past, for nodes whose clock is behind.
    static let backdate = 3600_000 as Int64
    package static let lifetime = 86_400_000 as Int64

    private let key: Certificate.PrivateKey
    /// Its public half.
    let trusted: TrustedAuthority

    /// - Parameter secret: CLUSTER_SECRET, at least ``WireLimits/secretBytesMin`` bytes.
    package init(secret: [UInt8]) throws(TrustError) {
        guard secret.count >= WireLimits.secretBytesMin else {
            throw .badSecret(
                "CLUSTER_SECRET has \(secret.count) bytes; it needs \(WireLimits.secretBytesMin)")
        }
        key = Certificate.PrivateKey(try Self.derive(from: secret))
        let fingerprint = try TrustedAuthority.fingerprint(of: key.publicKey)
        do {
            let name = try DistinguishedName {
                CommonName("dstorage cluster CA \(fingerprint.prefix(16))")
            }
            trusted = TrustedAuthority(
                name: name, publicKey: key.publicKey, fingerprint: fingerprint)
        } catch {
            throw .certificateFailed("\(error)")
        }
    }

    /// A number below the curve's order; the first try fails once in 2^32.
    private static func derive(
        from secret: [UInt8]
    ) throws(TrustError) -> P256.Signing.PrivateKey {
        for attempt in 0..<16 {
            let bytes = HMACSHA256.derive(from: secret, info: "dstorage cluster CA v1 \(attempt)")
            if let key = try? P256.Signing.PrivateKey(rawRepresentation: bytes) { return key }
        }
        throw .badSecret("CLUSTER_SECRET gives no key")
    }

    /// A certificate for the holder of `publicKey`, valid from an hour before `now`.
    ///
    /// - Parameter lifetime: Milliseconds from `now`; below 0 in tests of expiry.
    func certify(
        _ identity: PeerIdentity, publicKey: Certificate.PublicKey, now: WallTime,
        lifetime: Int64 = lifetime
    ) throws(TrustError) -> Certificate {
        do {
            return try Certificate(
                version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
                notValidBefore: Self.date(now.milliseconds - Self.backdate),
                notValidAfter: Self.date(now.milliseconds + lifetime),
                issuer: trusted.name,
                subject: try DistinguishedName { CommonName("\(identity.node)") },
                signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    Critical(KeyUsage(digitalSignature: true))
                    try ExtendedKeyUsage([.serverAuth, .clientAuth])
                    SubjectAlternativeNames([
                        .uniformResourceIdentifier(CertificateName.uri(of: identity))
                    ])
                },
                issuerPrivateKey: key)
        } catch {
            throw .certificateFailed("\(error)")
        }
    }

    /// The authority's own certificate; its dates are fixed, since trust ends with the secret.
    func ownCertificate() throws(TrustError) -> Certificate {
        do {
            return try Certificate(
                version: .v3, serialNumber: Certificate.SerialNumber(1),
                publicKey: trusted.publicKey,
                notValidBefore: Self.date(1_704_067_200_000),
                notValidAfter: Self.date(4_102_444_800_000),
                issuer: trusted.name, subject: trusted.name, signatureAlgorithm: .ecdsaWithSHA256,
                extensions: try Certificate.Extensions {
                    Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                    Critical(KeyUsage(keyCertSign: true))
                },
                issuerPrivateKey: key)
        } catch {
            throw .certificateFailed("\(error)")
        }
    }

    private static func date(_ milliseconds: Int64) -> Date {
        Date(timeIntervalSince1970: Double(milliseconds) / 1000)
    }
}

/// A node's name in its certificate: `dst://node/<uuid>/<role>`.
enum CertificateName {
    private static let prefix = "dst://node/"

    static func uri(of identity: PeerIdentity) -> String {
        "\(prefix)\(identity.node)/\(identity.role.rawValue)"
    }

    /// - Returns: `nil` where the certificate names no node.
    static func identity(in certificate: Certificate) -> PeerIdentity? {
        guard let names = try? certificate.extensions.subjectAlternativeNames, names.count == 1,
            case .uniformResourceIdentifier(let uri)? = names.first
        else { return nil }
        return identity(of: uri)
    }

    static func identity(of uri: String) -> PeerIdentity? {
        guard uri.hasPrefix(prefix) else { return nil }
        let parts = uri.dropFirst(prefix.count).split(
            separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let node = NodeID(hex: parts[0]),
            let role = NodeRole(rawValue: String(parts[1]))
        else { return nil }
        let identity = PeerIdentity(node: node, role: role)
        return Self.uri(of: identity) == uri ? identity : nil
    }
}
