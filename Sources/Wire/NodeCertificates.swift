import Core
import Crypto
import NIOSSL
import SwiftASN1
import Synchronization
import X509

/// The certificates and trusted authorities of one node. Renews its own certificate when half of
/// its life is over; connections that stand are not touched.
package final class NodeCertificates: Sendable {
    struct Contexts: Sendable {
        var client: NIOSSLContext
        var server: NIOSSLContext
        var renewAt: WallTime
    }

    package let identity: PeerIdentity
    let authorities: [ClusterAuthority]
    let clocks: any Clocks
    private let lifetime: Int64
    private let current: Mutex<Contexts?> = Mutex(nil)

    /// - Parameters:
    ///   - secrets: CLUSTER_SECRET, 32 bytes or more each: the first issues this node's
    ///     certificate, all are trusted. One or two. To change the secret: give all nodes
    ///     `[old, new]`, then `[new, old]`, then `[new]`.
    package convenience init(
        identity: PeerIdentity, secrets: [[UInt8]], clocks: any Clocks = SystemClocks()
    ) throws(TrustError) {
        try self.init(
            identity: identity, secrets: secrets, clocks: clocks,
            lifetime: ClusterAuthority.lifetime)
    }

    init(
        identity: PeerIdentity, secrets: [[UInt8]], clocks: any Clocks, lifetime: Int64
    ) throws(TrustError) {
        guard !secrets.isEmpty, secrets.count <= WireLimits.secretsMax else {
            throw .badSecret(
                "\(secrets.count) CLUSTER_SECRETs are given; one or \(WireLimits.secretsMax) may be"
            )
        }
        self.identity = identity
        self.clocks = clocks
        self.lifetime = lifetime
        var authorities: [ClusterAuthority] = []
        for secret in secrets { authorities.append(try ClusterAuthority(secret: secret)) }
        self.authorities = authorities
        _ = try contexts()
    }

    /// The fingerprint of the authority that issues this node's certificate.
    package var fingerprint: String { authorities[0].fingerprint }

    /// What new connections use.
    func contexts() throws(TrustError) -> Contexts {
        let now = clocks.wall
        return try current.withLock { current throws(TrustError) -> Contexts in
            if let current, now < current.renewAt { return current }
            let made = try make(now: now)
            current = made
            return made
        }
    }

    private func make(now: WallTime) throws(TrustError) -> Contexts {
        let key = P256.Signing.PrivateKey()
        let leaf = try authorities[0].certify(
            identity, publicKey: Certificate.PublicKey(key.publicKey), now: now,
            lifetime: lifetime)
        do {
            let chain = [NIOSSLCertificateSource.certificate(try Self.convert(leaf))]
            let privateKey = NIOSSLPrivateKeySource.privateKey(
                try NIOSSLPrivateKey(bytes: Array(key.derRepresentation), format: .der))
            let roots = NIOSSLTrustRoots.certificates(
                [try Self.convert(try authorities[0].ownCertificate())])
            var server = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain, privateKey: privateKey)
            Self.harden(&server, roots)
            var client = TLSConfiguration.makeClientConfiguration()
            client.certificateChain = chain
            client.privateKey = privateKey
            Self.harden(&client, roots)
            return Contexts(
                client: try NIOSSLContext(configuration: client),
                server: try NIOSSLContext(configuration: server),
                renewAt: WallTime(milliseconds: now.milliseconds + max(0, lifetime / 2)))
        } catch {
            throw .certificateFailed("\(error)")
        }
    }

    private static func harden(_ configuration: inout TLSConfiguration, _ roots: NIOSSLTrustRoots) {
        configuration.minimumTLSVersion = .tlsv13
        configuration.applicationProtocols = [Handshake.alpn]
        // A certificate is demanded of both sides; `CertificateCheck` looks at it.
        configuration.certificateVerification = .noHostnameVerification
        configuration.trustRoots = roots
    }

    private static func convert(_ certificate: Certificate) throws -> NIOSSLCertificate {
        var serializer = DER.Serializer()
        try serializer.serialize(certificate)
        return try NIOSSLCertificate(bytes: serializer.serializedBytes, format: .der)
    }
}

/// Why there are no certificates.
package enum TrustError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The secret is too short, or there is none. The operator sets CLUSTER_SECRET.
    case badSecret(String)
    /// The library refused; a defect.
    case certificateFailed(String)

    package var description: String {
        switch self {
        case .badSecret(let text): text
        case .certificateFailed(let reason): "no certificate could be made: \(reason)"
        }
    }
}
