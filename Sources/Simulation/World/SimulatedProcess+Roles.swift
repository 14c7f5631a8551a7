import ChunkStore
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

/// The roles as the program puts them together, on simulated ground.
extension SimulatedProcess {
    func coordinator(_ base: Base) throws -> @Sendable () async throws -> Void {
        let (node, directory) = (base.node, base.directory)
        let settings = node.settings
        let configuration = Coordinator.Configuration(
            me: FormationProposal.Member(
                node: identity.node, address: node.address, label: node.name, zone: node.zone),
            version: "simulated", directory: directory.path,
            policy: FormationCore.Policy(
                expectedCount: settings.founderCount, mayForm: true,
                settings: FormationProposal.Settings(
                    clusterName: "simulated", replicationFactor: settings.replicationFactor,
                    rangeCount: settings.rangeCount,
                    repairDelayMilliseconds: settings.repairDelayMilliseconds)),
            garbageGraceMilliseconds: settings.garbageGraceMilliseconds,
            sweepAgeMilliseconds: settings.effectiveSweepAge)
        let (clocks, pool, loop, logger) = (base.clocks, base.pool, base.loop, base.logger)
        let (me, disk, watch, name) = (identity.node, logDisk, node.watch, node.name)
        let coordinator = try Coordinator(
            configuration,
            on: Coordinator.Foundation(
                pool: pool, server: server,
                enrolment: EnrolmentServer(certificates: base.certificates, logger: logger),
                certificates: base.certificates, addresses: base.addresses, clocks: clocks,
                logger: logger, seeds: { settings.seeds },
                clusterIsKnown: base.join,
                openConsensus: { proposal, observer in
                    try await RaftHost.open(
                        try Self.raft(me, directory.path, proposal, disk, settings),
                        transport: WireRaftTransport(pool), clocks: clocks, eventLoop: loop,
                        observer: ElectionObserver(observer, watch, name), logger: logger)
                }))
        unreadiness = { await coordinator.unreadiness() }
        return { try await coordinator.run() }
    }

    private static func raft(
        _ me: NodeID, _ directory: String, _ proposal: FormationProposal, _ disk: ProcessDisk,
        _ settings: ClusterWorld.Settings
    ) throws -> RaftHost.Configuration {
        var configuration = try RaftHost.Configuration(
            me: me, directory: directory, proposal: proposal, seed: Randomness.system.next())
        configuration.logDisk = disk
        configuration.segmentBytes = 1 << 20
        configuration.checkpoints.keptEntries = settings.keptEntries
        configuration.checkpoints.bytes =
            settings.keptEntries < RaftHostLimits.entriesKeptMax ? 8 << 10 : 256 << 10
        return configuration
    }

    func storage(_ base: Base) -> @Sendable () async throws -> Void {
        let (node, directory) = (base.node, base.directory)
        let settings = node.settings
        let storage = StorageNode(
            StorageNode.Configuration(
                node: identity.node, label: node.name, address: node.address, zone: node.zone,
                version: "simulated", directory: directory.path,
                capacityBytes: settings.capacityBytes
            ).simulated(on: node.chunkDisk, settings),
            on: StorageNode.Foundation(
                pool: base.pool, server: server, addresses: base.addresses, clocks: base.clocks,
                logger: base.logger, seeds: { settings.seeds },
                cluster: directory.identity.cluster, clusterIsKnown: base.join))
        self.storage = storage
        unreadiness = { await storage.unreadiness() }
        return { try await storage.run() }
    }

    /// A gateway without HTTP: what it knows of the cluster, its heartbeats and its objects.
    func gateway(_ base: Base) -> @Sendable () async throws -> Void {
        let (node, directory) = (base.node, base.directory)
        let settings = node.settings
        let follower = ClusterFollower(
            pool: base.pool, addresses: base.addresses, clocks: base.clocks, logger: base.logger,
            seeds: { settings.seeds })
        let view = ClusterByWatch(zone: node.zone)
        follower.observe { view.update($0) }
        let catalogue = CatalogueOverWire(follower: follower, clocks: base.clocks)
        (self.catalogue, self.follower) = (catalogue, follower)
        let chunks = WatchedChunks(
            ChunksOverWire(pool: base.pool, clocks: base.clocks, logger: base.logger),
            node.watch)
        self.chunks = chunks
        let objects = ObjectService(
            cluster: view, catalogue: catalogue, chunks: chunks,
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
                try base.join(try await finder.findCluster())
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

extension StorageNode.Configuration {
    fileprivate func simulated(
        on disk: SimulatedChunkDisk, _ settings: ClusterWorld.Settings
    ) -> Self {
        var configuration = self
        configuration.simulatedStore = ChunkStore.SimulatedStore(
            disk: disk, segmentBytes: 16 << 20, tombstoneFileBytes: 64 << 10)
        configuration.sweepAge = .milliseconds(4 * settings.effectiveSweepAge)
        configuration.strayGraceMilliseconds = 10_000
        return configuration
    }
}
