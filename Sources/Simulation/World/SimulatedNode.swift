import Catalogue
import ClusterView
import Coordinator
import Core
import Foundation
import Gateway
import Logging
import Messages
import NIOCore
import ObjectStore
import Raft
import RaftLog
import StorageNode
import Wire

/// One node of a simulated world: its machine, which stays, and the process on it, which comes and
/// goes.
///
/// `@unchecked Sendable`: confined to the thread of its ``SimulatedTime``.
final class SimulatedNode: @unchecked Sendable {
    let name: String
    let role: NodeRole
    let zone: String
    let address: String
    let time: SimulatedTime
    let network: SimulatedNetwork
    let home: String
    let settings: ClusterWorld.Settings
    /// Of the Raft log; outlives the process.
    let logDisk = SimulatedDisk()
    /// Counts the directories that this machine's disk has been: a power cut leaves a new one.
    private(set) var generation = 0
    private(set) var process: SimulatedProcess?
    let driftMillionths: Int64

    init(
        _ name: String, _ role: NodeRole, zone: String, _ time: SimulatedTime,
        _ network: SimulatedNetwork, home: String, settings: ClusterWorld.Settings
    ) {
        self.name = name
        self.role = role
        self.zone = zone
        self.time = time
        self.network = network
        self.home = home + "/" + name
        self.settings = settings
        address = "\(name):9000"
        driftMillionths = .random(in: -200...200, using: &time.random)
    }

    var directory: String { home + "/\(generation)" }
    var isUp: Bool { process != nil }

    func start() throws {
        precondition(process == nil, "\(name) runs")
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        process = try SimulatedProcess(self)
    }

    /// kill -9, or the power goes: the disk keeps what it had to.
    func crash(losesPower: Bool) throws(PowerCutError) {
        guard let process else { return }
        self.process = nil
        let before = directory
        generation += 1
        if losesPower {
            try SimulatedFiles.powerCut(from: before, to: directory, using: &time.random)
            logDisk.crash(using: &time.random)
        } else {
            try SimulatedFiles.copy(from: before, to: directory)
        }
        process.end()
        network.silence(address, name, resets: !losesPower)
    }
}

/// A process: everything that a crash takes.
final class SimulatedProcess: @unchecked Sendable {
    let clocks: SimulatedClocks
    let loop: SimulatedLoop
    let pool: WirePool
    let server: WireServer
    let identity: PeerIdentity
    private(set) var objects: ObjectService?
    private var task: Task<Void, Never>?
    private let logDisk: ProcessDisk
    /// Why the process ended by itself.
    private(set) var failure: String?
    private(set) var unreadiness: @Sendable () async -> String? = { "starting" }

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
            server: server, certificates: certificates, addresses: addresses, logger: logger)
        let run = try role(base)
        network.listen(
            node.address,
            SimulatedNetwork.Listener(name: name, identity: identity, loop: loop, server: server))
        task = Task {
            do {
                try await run()
            } catch is CancellationError {
                return
            } catch {
                self.failure = "\(error)"
                logger.error("the process ends", metadata: ["reason": "\(error)"])
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
    }

    private func role(_ base: Base) throws -> @Sendable () async throws -> Void {
        switch base.node.role {
        case .coordinator: try coordinator(base)
        case .storage: storage(base)
        case .gateway: gateway(base)
        }
    }

    private func coordinator(_ base: Base) throws -> @Sendable () async throws -> Void {
        let (node, directory) = (base.node, base.directory)
        let settings = node.settings
        let configuration = Coordinator.Configuration(
            me: FormationProposal.Member(
                node: identity.node, address: node.address, label: node.name, zone: node.zone),
            version: "simulated", directory: directory.path,
            policy: FormationCore.Policy(
                expectedCount: settings.coordinatorCount, mayForm: true,
                settings: FormationProposal.Settings(
                    clusterName: "simulated", replicationFactor: 3,
                    rangeCount: settings.rangeCount,
                    repairDelayMilliseconds: settings.repairDelayMilliseconds)),
            garbageGraceMilliseconds: settings.garbageGraceMilliseconds,
            sweepAgeMilliseconds: 24 * 3_600_000)
        let (clocks, pool, loop, logger) = (base.clocks, base.pool, base.loop, base.logger)
        let (me, disk) = (identity.node, logDisk)
        let coordinator = try Coordinator(
            configuration,
            on: Coordinator.Foundation(
                pool: pool, server: server,
                enrolment: EnrolmentServer(certificates: base.certificates, logger: logger),
                certificates: base.certificates, addresses: base.addresses, clocks: clocks,
                logger: logger, seeds: { settings.seeds },
                clusterIsKnown: { try directory.join($0) },
                openConsensus: { proposal, observer in
                    try await RaftHost.open(
                        try Self.raft(me, directory.path, proposal, disk),
                        transport: WireRaftTransport(pool), clocks: clocks, eventLoop: loop,
                        observer: observer, logger: logger)
                }))
        unreadiness = { await coordinator.unreadiness() }
        return { try await coordinator.run() }
    }

    private static func raft(
        _ me: NodeID, _ directory: String, _ proposal: FormationProposal, _ disk: ProcessDisk
    ) throws -> RaftHost.Configuration {
        let path = directory + "/catalogue"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        let first =
            proposal.includes(me) ? Membership(voters: proposal.members.map(\.node)) : nil
        var groups = [
            RaftHost.Configuration.Group(range: .system, firstMembership: first) {
                try SystemStore.open(path: path + "/system.sqlite")
            }
        ]
        for number in 1...proposal.settings.rangeCount {
            let range = RangeID(rawValue: UInt32(number))
            groups.append(
                RaftHost.Configuration.Group(range: range, firstMembership: first) {
                    try RangeStore.open(path: path + "/\(range).sqlite", range: range)
                })
        }
        var configuration = RaftHost.Configuration(
            me: me, directory: directory, groups: groups, seed: Randomness.system.next())
        configuration.logDisk = disk
        configuration.segmentBytes = 1 << 20
        configuration.checkpoints.bytes = 256 << 10
        return configuration
    }

    private func storage(_ base: Base) -> @Sendable () async throws -> Void {
        let (node, directory) = (base.node, base.directory)
        let settings = node.settings
        let storage = StorageNode(
            StorageNode.Configuration(
                node: identity.node, label: node.name, address: node.address, zone: node.zone,
                version: "simulated", directory: directory.path,
                capacityBytes: settings.capacityBytes),
            on: StorageNode.Foundation(
                pool: base.pool, server: server, addresses: base.addresses, clocks: base.clocks,
                logger: base.logger, seeds: { settings.seeds },
                cluster: directory.identity.cluster, clusterIsKnown: { try directory.join($0) }))
        unreadiness = { await storage.unreadiness() }
        return { try await storage.run() }
    }

    /// A gateway without HTTP: what it knows of the cluster, its heartbeats and its objects.
    private func gateway(_ base: Base) -> @Sendable () async throws -> Void {
        let (node, directory) = (base.node, base.directory)
        let settings = node.settings
        let follower = ClusterFollower(
            pool: base.pool, addresses: base.addresses, clocks: base.clocks, logger: base.logger,
            seeds: { settings.seeds })
        let view = ClusterByWatch(zone: node.zone)
        follower.observe { view.update($0) }
        let objects = ObjectService(
            cluster: view, catalogue: CatalogueOverWire(follower: follower, clocks: base.clocks),
            chunks: ChunksOverWire(pool: base.pool, clocks: base.clocks, logger: base.logger),
            keys: KeyRing(current: [UInt8](repeating: 7, count: 32), older: []),
            clocks: base.clocks)
        self.objects = objects
        let heartbeats = Heartbeats(
            node: .with {
                $0.id = identity.node.data
                $0.label = node.name
                $0.role = .gateway
                $0.address = node.address
                $0.zone = node.zone
                $0.membership = .member
                $0.version = "simulated"
            }, pool: base.pool, follower: follower, logger: base.logger,
            report: { Heartbeats.Report() })
        unreadiness = { [clocks] in
            guard follower.isFresh else { return "the cluster's leader is not heard" }
            _ = clocks
            let state = follower.state
            return state.partitions.allSatisfy { !$0.nodes.isEmpty } && state.replicationFactor > 0
                ? nil : "there is no cluster map yet"
        }
        let finder = ClusterFinder(
            pool: base.pool, addresses: base.addresses, clocks: base.clocks, logger: base.logger,
            seeds: { settings.seeds }, waits: follower.waits)
        return {
            if directory.identity.cluster == nil {
                try directory.join(try await finder.findCluster())
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await follower.run() }
                group.addTask { await objects.run() }
                group.addTask { try await heartbeats.run() }
                while try await group.next() != nil {}
            }
        }
    }
}
