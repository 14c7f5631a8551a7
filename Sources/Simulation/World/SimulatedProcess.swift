import ClusterView
import Coordinator
import Core
import Foundation
import Gateway
import Logging
import Messages
import NIOCore
import ObjectStore
import RaftLog
import StorageNode
import Wire

/// A process: everything that a crash takes.
final class SimulatedProcess: @unchecked Sendable {
    let clocks: SimulatedClocks
    let loop: SimulatedLoop
    let pool: WirePool
    let server: WireServer
    let identity: PeerIdentity
    /// Of a gateway, and its way to chunks.
    var objects: ObjectService?
    var chunks: (any ChunkDoor)?
    /// Of a gateway: for what operators ask for.
    var catalogue: CatalogueOverWire?
    var follower: ClusterFollower?
    var storage: StorageNode?
    private var task: Task<Void, Never>?
    let logDisk: ProcessDisk
    /// Why the process ended by itself.
    private(set) var failure: String?
    var unreadiness: @Sendable () async -> String? = { "starting" }

    init(_ node: SimulatedNode) throws {
        let (time, network) = (node.time, node.network)
        let clocks = SimulatedClocks(time, driftMillionths: node.driftMillionths)
        let loop = SimulatedLoop(time, clocks: clocks)
        (self.clocks, self.loop) = (clocks, loop)
        logDisk = ProcessDisk(node.logDisk)
        var random = Randomness.system
        let directory = try DataDirectory.open(
            path: node.directory, role: node.role, using: &random)
        let identity = PeerIdentity(node: directory.identity.node, role: node.role)
        self.identity = identity
        let certificates = NodeCertificates(joining: identity, clocks: clocks)
        var logger = Logger(label: node.name) { _ in SimulatedLog(node.name, clocks) }
        logger.logLevel = node.settings.logLevel
        let addresses = AddressBook()
        let cluster: @Sendable () -> ClusterID? = { directory.identity.cluster }
        let watch = node.watch
        let join: @Sendable (ClusterID) throws -> Void = { cluster in
            watch.joined(cluster, node.name)
            try directory.join(cluster)
        }
        var configuration = WirePool.Configuration(
            certificates: certificates, group: loop, logger: logger, cluster: cluster,
            addressOf: { addresses.address(of: $0) })
        let name = node.name
        let timeout = UInt64(configuration.settings.connectTimeout.nanoseconds)
        configuration.dialer = .simulated { place, _ in
            network.connect(from: name, identity, loop, to: place, timeout: timeout)
        }
        pool = WirePool(configuration)
        server = WireServer(certificates: certificates, logger: logger, cluster: cluster)
        let base = Base(
            node: node, directory: directory, clocks: clocks, loop: loop, pool: pool,
            server: server, certificates: certificates, addresses: addresses, logger: logger,
            join: join)
        let run = try role(base)
        network.listen(
            node.address,
            SimulatedNetwork.Listener(name: name, identity: identity, loop: loop, server: server))
        task = SimulatedTime.$owner.withValue(node.name) {
            live(run, logger) { [weak self, weak node] in
                if let self { node?.ended(self) }
            }
        }
    }

    /// - Parameter ended: Told when the process ends by itself.
    private func live(
        _ run: @escaping @Sendable () async throws -> Void, _ logger: Logger,
        ended: @escaping @Sendable () -> Void
    ) -> Task<Void, Never> {
        Task {
            do {
                try await run()
            } catch is CancellationError {
                return
            } catch {
                self.failure = "\(error)"
                logger.error("the process ends", metadata: ["reason": "\(error)"])
                ended()
            }
        }
    }

    /// Whatever it still does is of no effect.
    func end() {
        logDisk.end()
        task?.cancel()
    }

    struct Base {
        var node: SimulatedNode
        var directory: DataDirectory
        var clocks: SimulatedClocks
        var loop: SimulatedLoop
        var pool: WirePool
        var server: WireServer
        var certificates: NodeCertificates
        var addresses: AddressBook
        var logger: Logger
        var join: @Sendable (ClusterID) throws -> Void
    }

    private func role(_ base: Base) throws -> @Sendable () async throws -> Void {
        switch base.node.role {
        case .coordinator: try coordinator(base)
        case .storage: storage(base)
        case .gateway: gateway(base)
        }
    }
}
