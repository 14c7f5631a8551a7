import Core
import Crypto
import Foundation
import Messages
import SwiftASN1
import X509

/// A joining node's side: its key, and what it asks with.
package struct EnrolmentKey: Sendable {
    /// P-256 private key, DER.
    package let bytes: [UInt8]
    /// PKCS#10, DER.
    package let signingRequest: [UInt8]

    /// - Parameter kept: The key of before; a new one is made where there is none.
    package init(kept: [UInt8]? = nil) throws(TrustError) {
        do {
            let key =
                try kept.map { try P256.Signing.PrivateKey(derRepresentation: $0) }
                ?? P256.Signing.PrivateKey()
            let request = try CertificateSigningRequest(
                version: .v1, subject: try DistinguishedName { CommonName("dstorage node") },
                privateKey: Certificate.PrivateKey(key),
                attributes: CertificateSigningRequest.Attributes())
            var serializer = DER.Serializer()
            try serializer.serialize(request)
            bytes = Array(key.derRepresentation)
            signingRequest = serializer.serializedBytes
        } catch {
            throw .badCredential("its key can't be used: \(error)")
        }
    }
}

/// A coordinator's side: what can be checked of a request without the catalogue.
package struct EnrolmentClaim: Sendable {
    package let identity: PeerIdentity
    let publicKey: Certificate.PublicKey

    /// - Throws: ``EnrolmentRefusal`` with the reason.
    package init(_ request: ProtoCertificateRequest) throws(EnrolmentRefusal) {
        guard let node = NodeID(bytes: request.node), let role = request.role.nodeRole else {
            throw EnrolmentRefusal("the request names no node")
        }
        guard role != .coordinator else {
            throw EnrolmentRefusal("coordinators do not join by a token: they hold CLUSTER_SECRET")
        }
        guard
            let signing = try? CertificateSigningRequest(
                derEncoded: Array(request.signingRequest)),
            signing.publicKey.isValidSignature(signing.signature, for: signing)
        else { throw EnrolmentRefusal("the signing request is damaged or not signed by its key") }
        identity = PeerIdentity(node: node, role: role)
        publicKey = signing.publicKey
    }
}

/// Why there is no certificate; the text is for the operators of both sides.
package struct EnrolmentRefusal: Error, Equatable {
    package let text: String

    package init(_ text: String) { self.text = text }
}

extension NodeCertificates {
    /// Whether `certificate` was issued to the node that claims so, for the key that it claims; it
    /// may have expired. That it is not expelled is for the caller to know.
    package func mayRenew(
        _ claim: EnrolmentClaim, by certificate: Data
    ) throws(EnrolmentRefusal) {
        guard let old = try? Certificate(derEncoded: Array(certificate)),
            authorities.contains(where: { $0.issued(old) })
        else {
            throw EnrolmentRefusal(
                "the certificate to be renewed is not of this cluster: give the node a join token")
        }
        guard CertificateName.identity(in: old) == claim.identity, old.publicKey == claim.publicKey
        else { throw EnrolmentRefusal("the certificate to be renewed is of another node or key") }
    }

    /// Issues what was claimed; the caller has checked that the node may have it.
    package func reply(
        to claim: EnrolmentClaim, cluster: ClusterID, sealKeys: [[UInt8]]
    ) throws(TrustError) -> ProtoCertificateReply {
        let issued = try issue(claim.identity, publicKey: claim.publicKey)
        return .with {
            $0.certificate = Data(issued.certificate)
            $0.authorities = issued.authorities.map { Data($0) }
            $0.cluster = Data(cluster.bytes)
            $0.sealKeys = sealKeys.map { Data($0) }
        }
    }
}
