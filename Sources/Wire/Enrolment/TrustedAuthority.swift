import Core
import NIOSSL
import SwiftASN1
import X509

/// The public half of a cluster's certificate authority: what a node checks its peers against.
package struct TrustedAuthority: Sendable {
    let name: DistinguishedName
    let publicKey: Certificate.PublicKey
    /// SHA-256 of the public key (SubjectPublicKeyInfo, DER), in hex.
    package let fingerprint: String

    init(name: DistinguishedName, publicKey: Certificate.PublicKey, fingerprint: String) {
        self.name = name
        self.publicKey = publicKey
        self.fingerprint = fingerprint
    }

    /// - Parameter certificate: The authority's own certificate. Its dates mean nothing: trust in
    ///   it ends with the secret that it is derived from.
    init(certificate: Certificate) throws(TrustError) {
        self.init(
            name: certificate.subject, publicKey: certificate.publicKey,
            fingerprint: try Self.fingerprint(of: certificate.publicKey))
    }

    /// Whether the authority has signed the certificate.
    func issued(_ certificate: Certificate) -> Bool {
        certificate.issuer == name && certificate.signatureAlgorithm == .ecdsaWithSHA256
            && publicKey.isValidSignature(certificate.signature, for: certificate)
    }

    static func fingerprint(
        of key: Certificate.PublicKey
    ) throws(TrustError) -> String {
        do {
            var serializer = DER.Serializer()
            try serializer.serialize(key)
            return Hex.encode(Digest.of(serializer.serializedBytes, .sha256))
        } catch {
            throw .certificateFailed("\(error)")
        }
    }
}
