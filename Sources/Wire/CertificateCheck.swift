import Core
import NIOCore
import NIOSSL
import SwiftASN1
import X509

/// Looks at one peer's certificate during the TLS handshake, in place of the library's checks:
/// our certificates are signed by a cluster authority directly, and name a node, not a host.
///
/// On the connection's loop only.
final class CertificateCheck {
    private let authorities: [TrustedAuthority]
    private let clocks: any Clocks
    private(set) var identity: PeerIdentity?
    /// Why the certificate was refused.
    private(set) var refusal: String?

    init(_ certificates: NodeCertificates) {
        authorities = certificates.authorities
        clocks = certificates.clocks
    }

    /// For conversations without TLS.
    init(identity: PeerIdentity) {
        authorities = []
        clocks = SystemClocks()
        self.identity = identity
    }

    func verify(_ chain: [NIOSSLCertificate], _ promise: EventLoopPromise<NIOSSLVerificationResult>)
    {
        do throws(HandshakeRefusal) {
            identity = try Self.identity(of: chain, trusted: authorities, now: clocks.wall)
            promise.succeed(.certificateVerified)
        } catch {
            refusal = error.text
            promise.succeed(.failed)
        }
    }

    static func identity(
        of chain: [NIOSSLCertificate], trusted: [TrustedAuthority], now: WallTime
    ) throws(HandshakeRefusal) -> PeerIdentity {
        guard let leaf = chain.first, let bytes = try? leaf.toDERBytes(),
            let certificate = try? Certificate(derEncoded: bytes)
        else { throw HandshakeRefusal(text: "the peer shows no certificate that can be read") }
        guard trusted.contains(where: { $0.issued(certificate) }) else {
            throw HandshakeRefusal(
                text: "the peer's certificate is not of our CLUSTER_SECRET (issuer "
                    + "\(certificate.issuer)): give all nodes the same")
        }
        let seconds = Double(now.milliseconds) / 1000
        guard certificate.notValidBefore.timeIntervalSince1970 <= seconds else {
            throw HandshakeRefusal(
                text: "the peer's certificate is valid only from \(certificate.notValidBefore); "
                    + "compare the clocks")
        }
        guard certificate.notValidAfter.timeIntervalSince1970 > seconds else {
            throw HandshakeRefusal(
                text: "the peer's certificate expired at \(certificate.notValidAfter); "
                    + "compare the clocks")
        }
        guard let identity = CertificateName.identity(in: certificate) else {
            throw HandshakeRefusal(text: "the peer's certificate names no node")
        }
        return identity
    }
}
