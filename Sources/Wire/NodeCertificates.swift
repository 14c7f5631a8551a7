import Core
import Crypto
import NIOSSL
import SwiftASN1
import Synchronization
import X509

/// The certificates and trusted authorities of one node.
///
/// A node with CLUSTER_SECRET is its own authority and renews its certificate when half of its life
/// is over. A node with a join token has what a coordinator gave it: see ``Credential``.
/// Connections that stand are not touched by a new certificate.
package final class NodeCertificates: Sendable {
    struct Contexts: Sendable {
        var client: NIOSSLContext
        var server: NIOSSLContext
        /// For joining nodes; only where the node is an authority.
        var enrolment: NIOSSLContext?
        var renewAt: WallTime
    }

    private struct State {
        var contexts: Contexts?
        var authorities: [TrustedAuthority]
        var credential: Credential?
        /// Why there is none yet.
        var waits = "no coordinator was asked yet"
    }

    package let identity: PeerIdentity
    let clocks: any Clocks
    /// Empty where the node has no secret.
    private let issuers: [ClusterAuthority]
    private let lifetime: Int64
    private let state: Mutex<State>

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
        var issuers: [ClusterAuthority] = []
        for secret in secrets { issuers.append(try ClusterAuthority(secret: secret)) }
        self.issuers = issuers
        state = Mutex(State(authorities: issuers.map(\.trusted)))
        _ = try contexts()
    }

    /// A node with a join token: without a certificate until ``install(_:)``.
    package init(joining identity: PeerIdentity, clocks: any Clocks = SystemClocks()) {
        self.identity = identity
        self.clocks = clocks
        lifetime = ClusterAuthority.lifetime
        issuers = []
        state = Mutex(State(authorities: []))
    }

    /// Whom peers are checked against.
    var authorities: [TrustedAuthority] { state.withLock { $0.authorities } }

    /// Of the authority that issues this node's certificate; `nil` before it has one.
    package var fingerprint: String? { authorities.first?.fingerprint }

    /// What new connections use.
    ///
    /// - Throws: ``TrustError/notEnrolled(_:)`` before a joining node has a certificate.
    func contexts() throws(TrustError) -> Contexts {
        let now = clocks.wall
        return try state.withLock { state throws(TrustError) -> Contexts in
            if let contexts = state.contexts, issuers.isEmpty || now < contexts.renewAt {
                return contexts
            }
            guard let issuer = issuers.first else { throw .notEnrolled(state.waits) }
            let made = try make(issuer, now: now)
            state.contexts = made
            return made
        }
    }

    private func make(_ issuer: ClusterAuthority, now: WallTime) throws(TrustError) -> Contexts {
        let key = P256.Signing.PrivateKey()
        let leaf = try issuer.certify(
            identity, publicKey: Certificate.PublicKey(key.publicKey), now: now,
            lifetime: lifetime)
        return try TLSContexts(
            leaf: try DERBytes.of(leaf), key: Array(key.derRepresentation),
            authority: try DERBytes.of(try issuer.ownCertificate())
        ).contexts(
            mayEnrol: true,
            renewAt: WallTime(milliseconds: now.milliseconds + max(0, lifetime / 2)))
    }

    // MARK: Joining nodes

    /// What was installed; `nil` before that, and for nodes with the secret.
    package var credential: Credential? { state.withLock { $0.credential } }

    /// When to ask for the next certificate; `nil` where there is none yet.
    package var renewAt: WallTime? { state.withLock { $0.contexts?.renewAt } }

    /// Why there is no certificate yet, for ``TrustError/notEnrolled(_:)``.
    package func waits(_ reason: String) { state.withLock { $0.waits = reason } }

    /// Takes what a coordinator has issued, or what was kept of it.
    ///
    /// - Throws: ``TrustError/badCredential(_:)``; what was in use before stays in use.
    package func install(_ credential: Credential) throws(TrustError) {
        precondition(issuers.isEmpty, "who holds the secret needs nobody's certificate")
        let opened = try OpenedCredential(credential, of: identity)
        let contexts = try TLSContexts(
            leaf: credential.certificate, key: credential.key,
            authority: credential.authorities[0]
        ).contexts(mayEnrol: false, renewAt: opened.renewAt)
        state.withLock { state in
            state.contexts = contexts
            state.authorities = opened.authorities
            state.credential = credential
        }
    }

    /// Whether ``install(_:)`` would take it.
    package func check(_ credential: Credential) throws(TrustError) {
        _ = try OpenedCredential(credential, of: identity)
    }

    /// Fingerprints of the authorities; empty before a joining node has a certificate.
    package var trustedFingerprints: [String] { authorities.map(\.fingerprint) }

    /// Issues a certificate. The caller has checked that the node may have it.
    ///
    /// - Returns: The certificate, and those of the authorities to trust; DER.
    func issue(
        _ identity: PeerIdentity, publicKey: Certificate.PublicKey
    ) throws(TrustError) -> (certificate: [UInt8], authorities: [[UInt8]]) {
        guard let issuer = issuers.first else {
            throw .badSecret("a node without CLUSTER_SECRET issues no certificates")
        }
        let leaf = try issuer.certify(
            identity, publicKey: publicKey, now: clocks.wall, lifetime: lifetime)
        var authorities: [[UInt8]] = []
        for issuer in issuers { authorities.append(try DERBytes.of(try issuer.ownCertificate())) }
        return (try DERBytes.of(leaf), authorities)
    }
}

enum DERBytes {
    static func of(_ certificate: Certificate) throws(TrustError) -> [UInt8] {
        do {
            var serializer = DER.Serializer()
            try serializer.serialize(certificate)
            return serializer.serializedBytes
        } catch {
            throw .certificateFailed("\(error)")
        }
    }
}

/// Makes the TLS library's contexts of a certificate, its key and its authority; all DER.
private struct TLSContexts {
    let leaf: [UInt8]
    let key: [UInt8]
    let authority: [UInt8]

    func contexts(
        mayEnrol: Bool, renewAt: WallTime
    ) throws(TrustError) -> NodeCertificates.Contexts {
        do {
            let leaf = try NIOSSLCertificate(bytes: leaf, format: .der)
            let authority = try NIOSSLCertificate(bytes: authority, format: .der)
            let key = NIOSSLPrivateKeySource.privateKey(
                try NIOSSLPrivateKey(bytes: key, format: .der))
            let roots = NIOSSLTrustRoots.certificates([authority])
            var server = TLSConfiguration.makeServerConfiguration(
                certificateChain: [.certificate(leaf)], privateKey: key)
            Self.harden(&server, roots)
            var client = TLSConfiguration.makeClientConfiguration()
            client.certificateChain = [.certificate(leaf)]
            client.privateKey = key
            Self.harden(&client, roots)
            var contexts = NodeCertificates.Contexts(
                client: try NIOSSLContext(configuration: client),
                server: try NIOSSLContext(configuration: server), renewAt: renewAt)
            if mayEnrol {
                // The client knows the authority's fingerprint only: it is shown the rest.
                var enrolment = TLSConfiguration.makeServerConfiguration(
                    certificateChain: [.certificate(leaf), .certificate(authority)],
                    privateKey: key)
                enrolment.minimumTLSVersion = .tlsv13
                enrolment.applicationProtocols = [EnrolmentChannel.alpn]
                contexts.enrolment = try NIOSSLContext(configuration: enrolment)
            }
            return contexts
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
}

/// Why there are no certificates.
package enum TrustError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The secret is too short, or there is none. The operator sets CLUSTER_SECRET.
    case badSecret(String)
    /// A joining node has no certificate yet; it is asking for one.
    case notEnrolled(String)
    /// What a coordinator issued, or what was kept of it, can't be used: another is asked for.
    case badCredential(String)
    /// The library refused; a defect.
    case certificateFailed(String)

    package var description: String {
        switch self {
        case .badSecret(let text): text
        case .notEnrolled(let reason): "this node has none yet (\(reason))"
        case .badCredential(let text): "the certificate can't be used: \(text)"
        case .certificateFailed(let reason): "no certificate could be made: \(reason)"
        }
    }
}
