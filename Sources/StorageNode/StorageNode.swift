import ChunkStore
import ClusterView
import Core
import Logging
import Messages
import NIOCore
import ServiceLifecycle
import Synchronization
import Wire

/// One storage node: keeps chunks, serves them, copies them where the cluster map wants them. Runs
/// until the surrounding service group stops.
package final class StorageNode: Service {
    package struct Configuration: Sendable {
        package var node: NodeID
        package var label: String
        /// host:port that other nodes dial.
        package var address: String
        package var zone: String
        package var version: String
        package var directory: String
        package var capacityBytes: Int
        /// How long chunks stay after their partition has moved away.
        package var strayGraceMilliseconds: UInt64 = 60_000
        /// SWEEP_AGE: how often this node sweeps. How old chunks must be is for the ranges to say.
        package var sweepAge = Duration.seconds(24 * 3600)
        /// In simulations: what takes the place of the store's files.
        package var simulatedStore: ChunkStore.SimulatedStore?

        package init(
            node: NodeID, label: String, address: String, zone: String, version: String,
            directory: String, capacityBytes: Int
        ) {
            self.node = node
            self.label = label
            self.address = address
            self.zone = zone
            self.version = version
            self.directory = directory
            self.capacityBytes = capacityBytes
        }
    }

    /// What the node stands on.
    package struct Foundation: Sendable {
        package var pool: WirePool
        package var server: WireServer
        package var addresses: AddressBook
        package var clocks: any Clocks
        package var logger: Logger
        /// Addresses of coordinators, by discovery.
        package var seeds: @Sendable () async -> [String]
        /// What discovery complains of now: told with every heartbeat.
        package var discoveryProblems: @Sendable () -> [String] = { [] }
        /// The cluster in `node.json`, if this node belongs to one.
        package var cluster: ClusterID?
        /// Told once the cluster is found, before anything is served.
        package var clusterIsKnown: @Sendable (ClusterID) throws -> Void

        package init(
            pool: WirePool, server: WireServer, addresses: AddressBook, clocks: any Clocks,
            logger: Logger, seeds: @escaping @Sendable () async -> [String], cluster: ClusterID?,
            clusterIsKnown: @escaping @Sendable (ClusterID) throws -> Void
        ) {
            self.pool = pool
            self.server = server
            self.addresses = addresses
            self.clocks = clocks
            self.logger = logger
            self.seeds = seeds
            self.cluster = cluster
            self.clusterIsKnown = clusterIsKnown
        }
    }

    private let configuration: Configuration
    private let base: Foundation
    private let follower: ClusterFollower
    private let gate: WriteGate
    private let store = Mutex<ChunkStore?>(nil)
    private let heartbeats = Mutex<Heartbeats?>(nil)
    private let departure = Mutex<String?>(nil)
    private let swept = SweepCounters()
    private let isStopping = Atomic(false)
    private let refusal = Mutex<String?>(nil)

    package init(_ configuration: Configuration, on base: Foundation) {
        StorageNodeLimits.check()
        self.configuration = configuration
        self.base = base
        gate = WriteGate(me: configuration.node, clocks: base.clocks)
        follower = ClusterFollower(
            pool: base.pool, addresses: base.addresses, clocks: base.clocks, logger: base.logger,
            seeds: base.seeds)
    }

    /// Whether this node can serve: its store is open, it is part of the cluster and hears the
    /// leader.
    package func isReady() async -> Bool {
        problem == nil && !isStopping.load(ordering: .relaxed)
            && store.withLock { $0 != nil } && follower.isFresh
            && follower.state.nodes[configuration.node] != nil
    }

    /// Whether the disk is read: all that needs no other node.
    package var isOpen: Bool { store.withLock { $0 != nil } }

    /// Why the node is of no use any more: a failed disk, or the cluster will not have it.
    package var problem: String? {
        refusal.withLock { $0 } ?? store.withLock { $0 }?.failure
    }

    /// Why it is not ready, for operators; `nil` where it is.
    package func unreadiness() async -> String? {
        if await isReady() { return nil }
        if isStopping.load(ordering: .relaxed) { return "the node is stopping" }
        return problem ?? follower.problem.map { "the cluster's leader is not heard: \($0)" }
            ?? "not part of the cluster yet"
    }

    /// Its machine is about to go: asks the cluster to move its partitions elsewhere. For good.
    ///
    /// - Parameter reason: For operators; the status shows it.
    package func depart(_ reason: String) {
        departure.withLock { $0 = reason }
        heartbeats.withLock { $0 }?.drain()
    }

    /// What is still only safe while this node is there; `nil` where it may go.
    package var keepsIt: String? {
        guard let standing = heartbeats.withLock({ $0 })?.lastStanding,
            standing.isOfLeaving
        else { return "the cluster's leader is not heard" }
        if standing.partitions == 0 { return nil }
        return "it holds \(standing.partitions) partitions"
            + (standing.membership == .draining
                ? "" : ", and too few other storage nodes could take them")
    }

    /// The store, once it is open: for whoever looks into a node from within its process.
    package var openStore: ChunkStore? { store.withLock { $0 } }

    /// Disk figures, once the store is open.
    package var figures: (usage: ChunkStoreUsage, counters: ChunkStoreCounters)? {
        store.withLock { $0 }.map { ($0.usage, $0.counters) }
    }

    /// Chunks that this node has removed because nothing named them.
    package var sweptChunks: UInt64 { swept.chunks }

    package func run() async throws {
        let store = try await ChunkStore.open(
            directory: configuration.directory + "/chunks",
            capacityBytes: configuration.capacityBytes, name: configuration.label,
            clocks: base.clocks, simulated: configuration.simulatedStore)
        self.store.withLock { $0 = store }
        do {
            try DiskRoom.check(store.usage, path: configuration.directory)
            for problem in store.problems { base.logger.warning("\(problem)") }
            if let problem = DiskRoom.problem(store.usage) { base.logger.warning("\(problem)") }
            try await join()
            try await serve(store)
        } catch {
            await store.close()
            throw error
        }
        await store.close()
    }

    private func join() async throws {
        if base.cluster != nil { return }
        let finder = ClusterFinder(
            pool: base.pool, addresses: base.addresses, clocks: base.clocks, logger: base.logger,
            seeds: base.seeds,
            waits: follower.waits)
        let cluster = try await cancelWhenGracefulShutdown { try await finder.findCluster() }
        try base.clusterIsKnown(cluster)
    }

    private func serve(_ store: ChunkStore) async throws {
        let puller = ChunkPuller(
            store: store, gate: gate, pool: base.pool, clocks: base.clocks,
            logger: base.logger)
        let service = ChunkService(
            store: store, gate: gate, puller: puller, logger: base.logger)
        let strays = StrayChunks(
            me: configuration.node, store: store, gate: gate, pool: base.pool,
            clocks: base.clocks, logger: base.logger,
            graceMilliseconds: configuration.strayGraceMilliseconds)
        let corrupt = CorruptChunks(
            me: configuration.node, store: store, gate: gate, puller: puller,
            clocks: base.clocks)
        let sweep = ChunkSweep(
            store: store,
            questions: SweepQuestions(
                client: follower.client(), clocks: base.clocks),
            map: { [gate] in gate.map }, pause: ChunkSweep.pause(age: configuration.sweepAge),
            swept: swept, clocks: base.clocks, logger: base.logger)
        let heartbeats = Heartbeats(
            node: .of(configuration), pool: base.pool, follower: follower, logger: base.logger,
            report: { [self] in report(store) })
        self.heartbeats.withLock { $0 = heartbeats }
        if departure.withLock({ $0 }) != nil { heartbeats.drain() }
        follower.observe { [gate, server = base.server] state in
            gate.take(state)
            server.setExpelled(state.expelled)
        }
        var routes = WireRoutes()
        routes.on(ChunkService.methods, service)
        base.server.setRoutes(routes)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.follower.run() }
            group.addTask {
                do {
                    try await heartbeats.run()
                } catch let error as HeartbeatRefused {
                    self.refusal.withLock { $0 = error.reason }
                    throw error
                }
            }
            group.addTask { try await strays.run() }
            group.addTask { try await sweep.run() }
            group.addTask { try await corrupt.run() }
            group.addTask {
                while !Task.isCancelled {
                    try await self.base.clocks.sleep(for: StorageNodeLimits.maintenancePause)
                    await store.maintain()
                }
            }
            group.addTask {
                try? await gracefulShutdown()
                await self.stop(heartbeats)
                throw CancellationError()
            }
            do {
                while try await group.next() != nil {}
            } catch is CancellationError {
                group.cancelAll()
            }
        }
    }

    /// Refuses new chunks, tells the cluster, and lets the writes that have begun end.
    private func stop(_ heartbeats: Heartbeats) async {
        isStopping.store(true, ordering: .relaxed)
        gate.stop()
        await heartbeats.leave()
        let isDrained = await gate.drained(atMost: StorageNodeLimits.stopWait)
        if !isDrained {
            base.logger.warning("writes were still under way when the node stopped")
        }
    }

    private func report(_ store: ChunkStore) -> Heartbeats.Report {
        let usage = store.usage
        var report = Heartbeats.Report()
        report.usedBytes = UInt64(usage.usedBytes)
        report.freeBytes = UInt64(usage.freeBytes)
        report.refusesWrites =
            isStopping.load(ordering: .relaxed) || store.failure != nil
            || usage.freeBytes < StorageNodeLimits.freeBytesMin
        report.problems = store.problems + (DiskRoom.problem(usage).map { [$0] } ?? [])
        report.problems += base.discoveryProblems()
        if let reason = departure.withLock({ $0 }) {
            report.problems.append("\(reason): \(keepsIt ?? "it may go")")
        }
        return report
    }
}

extension ProtoNode {
    fileprivate static func of(_ configuration: StorageNode.Configuration) -> Self {
        .with {
            $0.id = configuration.node.data
            $0.label = configuration.label
            $0.role = .storage
            $0.address = configuration.address
            $0.zone = configuration.zone
            $0.capacityBytes = UInt64(configuration.capacityBytes)
            $0.membership = .member
            $0.version = configuration.version
        }
    }
}
