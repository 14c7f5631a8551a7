import Core
import Foundation
import Logging
import Messages
import NIOCore
import Synchronization
import Testing

@testable import Wire

/// How a node without the secret gets its certificate, over real sockets.
@Suite(.timeLimit(.minutes(2))) struct EnrolmentTests {
    private static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    private static let joining = PeerIdentity(node: NodeID(high: 5, low: 6), role: .storage)

    /// A coordinator whose door answers by `handler`.
    private func coordinator(
        secrets: [[UInt8]] = [LoopbackNode.secret], role: NodeRole = .coordinator,
        _ handler:
            @escaping @Sendable (NodeCertificates, ProtoCertificateRequest) throws ->
            ProtoCertificateReply
    ) async throws -> (node: LoopbackNode, certificates: NodeCertificates) {
        let certificates = try NodeCertificates(
            identity: PeerIdentity(node: NodeID(high: 0, low: 1), role: role), secrets: secrets)
        let enrolment = EnrolmentServer(certificates: certificates, logger: Self.logger)
        enrolment.serve { request in
            do { return try handler(certificates, request) } catch {
                return .with { $0.refusal = "\(error)" }
            }
        }
        var routes = WireRoutes()
        routes.on(.formationProbe) { $0.reply(ProtoProbeReply()) }
        let node = try await LoopbackNode(
            1, role: role, addresses: AddressTable(), routes: routes, secrets: secrets,
            configure: { $0.enrolment = enrolment })
        return (node, certificates)
    }

    private static func issue(
        _ certificates: NodeCertificates, _ request: ProtoCertificateRequest
    ) throws -> ProtoCertificateReply {
        let claim = try EnrolmentClaim(request)
        if case .certificate(let old) = request.proof {
            try certificates.mayRenew(claim, by: old)
        }
        return try certificates.reply(to: claim, cluster: LoopbackNode.cluster, sealKeys: [[1]])
    }

    private static func request(
        _ key: EnrolmentKey, as identity: PeerIdentity = joining
    ) -> ProtoCertificateRequest {
        .with {
            $0.node = Data(identity.node.bytes)
            $0.role = ProtoRole(identity.role)
            $0.signingRequest = Data(key.signingRequest)
        }
    }

    private static func credential(
        _ reply: ProtoCertificateReply, _ key: EnrolmentKey
    ) -> Credential {
        Credential(
            key: key.bytes, certificate: Array(reply.certificate),
            authorities: reply.authorities.map { Array($0) }, cluster: LoopbackNode.cluster,
            sealKeys: reply.sealKeys.map { Array($0) })
    }

    private func ask(
        _ node: LoopbackNode, _ request: ProtoCertificateRequest, trusted: Set<String>
    ) async throws(EnrolmentError) -> ProtoCertificateReply {
        try await EnrolmentClient(group: LoopbackNode.group, clocks: SystemClocks())
            .ask(node.address, request, trusted: trusted)
    }

    @Test func `who has joined talks to the others, and renews with what it has`() async throws {
        let (server, issuer) = try await coordinator(Self.issue)
        let key = try EnrolmentKey()
        let trusted: Set = [try #require(issuer.fingerprint)]
        let reply = try await ask(server, Self.request(key), trusted: trusted)
        let certificates = NodeCertificates(joining: Self.joining)
        #expect(throws: TrustError.self) { try certificates.contexts() }
        try certificates.install(Self.credential(reply, key))
        #expect(certificates.fingerprint == issuer.fingerprint)

        let pool = WirePool(
            WirePool.Configuration(
                certificates: certificates, group: LoopbackNode.group, logger: Self.logger,
                cluster: { LoopbackNode.cluster }, addressOf: { _ in nil }))
        let answer = try await pool.call(
            .formationProbe, address: server.address, ProtoProbeRequest(),
            deadline: .now() + .seconds(10), as: ProtoProbeReply.self)
        #expect(answer.peer == server.identity)
        await pool.shutdown()

        var renewal = Self.request(try EnrolmentKey(kept: key.bytes))
        renewal.certificate = reply.certificate
        let renewed = try await ask(server, renewal, trusted: trusted)
        #expect(renewed.refusal.isEmpty && renewed.certificate != reply.certificate)
        // Another key does not profit from somebody's certificate.
        var stolen = Self.request(try EnrolmentKey())
        stolen.certificate = reply.certificate
        let refused = try await ask(server, stolen, trusted: trusted)
        #expect(refused.refusal.contains("another node or key"))
        await server.stop()
    }

    @Test func `a coordinator of another cluster is sent nothing`() async throws {
        let asked = Mutex(false)
        let (server, _) = try await coordinator { _, _ in
            asked.withLock { $0 = true }
            return ProtoCertificateReply()
        }
        let other = try ClusterAuthority(secret: [UInt8](repeating: 8, count: 32))
        let error = await #expect(throws: EnrolmentError.self) {
            try await ask(
                server, Self.request(try EnrolmentKey()), trusted: [other.trusted.fingerprint])
        }
        #expect("\(try #require(error))".contains("another cluster"))
        #expect(!asked.withLock { $0 })
        await server.stop()
    }

    @Test func `a storage node that poses as a coordinator is sent nothing`() async throws {
        let (server, certificates) = try await coordinator(role: .storage) { _, _ in
            ProtoCertificateReply()
        }
        let trusted: Set = [try #require(certificates.fingerprint)]
        let error = await #expect(throws: EnrolmentError.self) {
            try await ask(server, Self.request(try EnrolmentKey()), trusted: trusted)
        }
        #expect("\(try #require(error))".contains("not a coordinator"))
        await server.stop()
    }

    @Test func `nobody becomes a coordinator, or somebody else, by joining`() throws {
        let key = try EnrolmentKey()
        let coordinator = PeerIdentity(node: NodeID(high: 1, low: 1), role: .coordinator)
        #expect(throws: EnrolmentRefusal.self) {
            try EnrolmentClaim(Self.request(key, as: coordinator))
        }
        var forged = Self.request(key)
        forged.signingRequest[forged.signingRequest.count - 1] ^= 1
        #expect(throws: EnrolmentRefusal.self) { try EnrolmentClaim(forged) }

        let issuer = try NodeCertificates(
            identity: PeerIdentity(node: NodeID(high: 0, low: 1), role: .coordinator),
            secrets: [LoopbackNode.secret])
        let reply = try Self.issue(issuer, Self.request(key))
        let other = NodeCertificates(
            joining: PeerIdentity(node: NodeID(high: 9, low: 9), role: .storage))
        #expect(throws: TrustError.self) { try other.install(Self.credential(reply, key)) }
        var mixed = Self.credential(reply, key)
        mixed.key = try EnrolmentKey().bytes
        let right = NodeCertificates(joining: Self.joining)
        #expect(throws: TrustError.self) { try right.install(mixed) }
    }

    @Test func `a certificate of another cluster renews nothing`() throws {
        let key = try EnrolmentKey()
        func issuer(_ byte: UInt8) throws -> NodeCertificates {
            try NodeCertificates(
                identity: PeerIdentity(node: NodeID(high: 0, low: 1), role: .coordinator),
                secrets: [[UInt8](repeating: byte, count: 32)])
        }
        let foreign = try Self.issue(try issuer(8), Self.request(key))
        let claim = try EnrolmentClaim(Self.request(key))
        #expect(throws: EnrolmentRefusal.self) {
            try issuer(7).mayRenew(claim, by: foreign.certificate)
        }
    }

    @Test func `an expired certificate can be renewed, and is due long before`() throws {
        let issuer = try NodeCertificates(
            identity: PeerIdentity(node: NodeID(high: 0, low: 1), role: .coordinator),
            secrets: [LoopbackNode.secret], clocks: SystemClocks(), lifetime: -1000)
        let key = try EnrolmentKey()
        let reply = try Self.issue(issuer, Self.request(key))
        try issuer.mayRenew(try EnrolmentClaim(Self.request(key)), by: reply.certificate)
        let certificates = NodeCertificates(joining: Self.joining)
        try certificates.install(Self.credential(reply, key))
        #expect(try #require(certificates.renewAt) <= SystemClocks().wall)

        let lasting = try NodeCertificates(
            identity: issuer.identity, secrets: [LoopbackNode.secret])
        try certificates.install(
            Self.credential(try Self.issue(lasting, Self.request(key)), key))
        let left =
            try #require(certificates.renewAt).milliseconds - SystemClocks().wall.milliseconds
        #expect(abs(left - ClusterAuthority.lifetime / 2) < 60_000)
    }

    @Test func `strangers who send no message are let go, and the door stays open`() async throws {
        let (server, issuer) = try await coordinator(Self.issue)
        let trusted: Set = [try #require(issuer.fingerprint)]
        var large = Self.request(try EnrolmentKey())
        large.label = String(repeating: "x", count: WireLimits.enrolmentBytesMax)
        await #expect(throws: EnrolmentError.self) {
            try await ask(server, large, trusted: trusted)
        }
        let reply = try await ask(server, Self.request(try EnrolmentKey()), trusted: trusted)
        #expect(reply.refusal.isEmpty)
        await server.stop()
    }

    @Test func `a credential is kept as it is, and a damaged file is none`() throws {
        let path = FileManager.default.temporaryDirectory.path + "/credential-\(UUID()).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let file = CredentialFile(path: path)
        #expect(file.read() == nil)
        let credential = Credential(
            key: [1, 2], certificate: [3], authorities: [[4], [5]], cluster: LoopbackNode.cluster,
            sealKeys: [[6]])
        try file.write(credential)
        #expect(file.read() == credential)
        let rights = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions]
        #expect(rights as? Int == 0o600)
        try Data("{".utf8).write(to: URL(fileURLWithPath: path))
        #expect(file.read() == nil)
    }
}
