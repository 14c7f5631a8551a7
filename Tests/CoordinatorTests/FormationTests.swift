import ClusterView
import Coordinator
import Core
import Foundation
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Testing
import Wire

/// Formation over real sockets with real certificates.
@Suite struct FormationTests {
    @Test func `three coordinators started in any order form one cluster, and keep it`()
        async throws
    {
        let world = try await FormationPeers.start(count: 3)
        let clusters = try await world.form()
        #expect(Set(clusters).count == 1)
        try await world.restart()
        let again = try await world.form()
        #expect(again == clusters)
        await world.stop()
    }

    @Test func `a fourth joins what three have formed, through a seed list with a dead name`()
        async throws
    {
        let world = try await FormationPeers.start(count: 4)
        let clusters = try await world.form()
        #expect(Set(clusters).count == 1)
        await world.stop()
    }
}

/// Some coordinators in one process, each with a directory, a port and a pool.
private final class FormationPeers: Sendable {
    struct Peer: Sendable {
        let listener: PortListener
        let server: WireServer
        let pool: WirePool
        let directory: String
        let member: FormationProposal.Member
    }

    private let peers: [Peer]
    private let formations = Mutex<[Formation]>([])
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private init(peers: [Peer]) { self.peers = peers }

    static func start(count: Int) async throws -> FormationPeers {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let group = MultiThreadedEventLoopGroup.singleton
        let secret = [UInt8](repeating: 42, count: 32)
        var random = SystemRandomNumberGenerator()
        var peers: [Peer] = []
        for number in 1...count {
            let node = NodeID.random(using: &random)
            let certificates = try NodeCertificates(
                identity: PeerIdentity(node: node, role: .coordinator), secrets: [secret])
            let server = WireServer(
                certificates: certificates, logger: logger, cluster: { nil })
            var settings = PortListener.Configuration(
                address: "127.0.0.1:0", group: group, logger: logger)
            settings.wire = server
            let listener = try await PortListener.bind(settings)
            let pool = WirePool(
                .init(
                    certificates: certificates, group: group, logger: logger, cluster: { nil },
                    addressOf: { _ in nil }))
            let directory = FileManager.default.temporaryDirectory
                .appendingPathComponent("formation-\(node)").path
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true)
            peers.append(
                Peer(
                    listener: listener, server: server, pool: pool, directory: directory,
                    member: .init(
                        node: node, address: "127.0.0.1:\(listener.port)", label: "c\(number)",
                        zone: "")))
        }
        let world = FormationPeers(peers: peers)
        try await world.restart()
        return world
    }

    /// New actors over the same directories, as after a restart of every process.
    func restart() async throws {
        let addresses = ["nobody.invalid:9000"] + peers.map(\.member.address)
        let made = try peers.map { peer in
            let formation = try Formation(
                me: peer.member,
                policy: .init(
                    expectedCount: 3, mayForm: true,
                    settings: .init(
                        clusterName: "test", replicationFactor: 3, rangeCount: 4,
                        repairDelayMilliseconds: 1_000)),
                directory: peer.directory, pool: peer.pool, clocks: SystemClocks(),
                logger: logger, discover: { addresses })
            peer.server.setRoutes(FormationService.routes(to: formation))
            return formation
        }
        formations.withLock { $0 = made }
    }

    func form() async throws -> [ClusterID] {
        let formations = self.formations.withLock { $0 }
        return try await withThrowingTaskGroup(of: (Int, ClusterID).self) { group in
            for (number, formation) in formations.enumerated() {
                group.addTask { (number, try await formation.run().cluster) }
            }
            return try await group.reduce(into: [(Int, ClusterID)]()) { $0.append($1) }
                .sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    func stop() async {
        for peer in peers {
            await peer.pool.shutdown()
            await peer.listener.close()
            await peer.server.shutdown(deadline: .now())
            try? FileManager.default.removeItem(atPath: peer.directory)
        }
    }
}
