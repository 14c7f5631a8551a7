import ClusterView
import Core
import Logging
import Messages
import Metrics
import NIOCore
import ObjectStore
import Placement
import ServiceLifecycle
import Synchronization
import Wire

/// The gateway role: speaks S3 to clients, keeps objects through the cluster. Holds no state of its
/// own.
package final class Gateway: Service {
    package struct Configuration: Sendable {
        /// This node, as its heartbeats tell it.
        package var node: ProtoNode
        package var region = "us-east-1"
        /// `S3_DOMAIN`; empty: path style only.
        package var domain = ""
        package var rootKey: (id: String, secret: String)?
        /// What secrets of access keys are sealed with, the current one first; see `AccessKeySeal`.
        package var sealKeys: @Sendable () -> [[UInt8]] = { [] }
        /// `ENCRYPTION_KEY`, 32 bytes each, the current one first.
        package var encryptionKeys: [[UInt8]]
        package var requestsInFlightMax = GatewayLimits.requestsInFlight
        /// Answers that are no error of ours; errors are logged as warnings.
        package var accessLogLevel = Logger.Level.debug
        /// How long requests in progress may take to end when the node stops.
        package var stopTimeout = Duration.seconds(20)

        package init(node: ProtoNode, encryptionKeys: [[UInt8]]) {
            self.node = node
            self.encryptionKeys = encryptionKeys
        }
    }

    /// What every node has, whatever its role.
    package struct Foundation: Sendable {
        package var pool: WirePool
        package var addresses: AddressBook
        package var clocks: any Clocks
        package var logger: Logger
        /// Addresses at which coordinators may be found.
        package var seeds: @Sendable () async -> [String]
        /// What discovery complains of now: told with every heartbeat.
        package var discoveryProblems: @Sendable () -> [String] = { [] }
        /// `nil` until the node knows its cluster.
        package var cluster: @Sendable () -> ClusterID?
        /// The cluster was found: to be kept on disk.
        package var clusterIsKnown: @Sendable (ClusterID) throws -> Void
        /// Where this node counts.
        package var metrics: any MetricsFactory
        /// For `/metrics`.
        package var metricsText: @Sendable () -> String

        package init(
            pool: WirePool, addresses: AddressBook, clocks: any Clocks, logger: Logger,
            seeds: @escaping @Sendable () async -> [String],
            cluster: @escaping @Sendable () -> ClusterID?,
            clusterIsKnown: @escaping @Sendable (ClusterID) throws -> Void,
            metrics: any MetricsFactory, metricsText: @escaping @Sendable () -> String
        ) {
            self.pool = pool
            self.addresses = addresses
            self.clocks = clocks
            self.logger = logger
            self.seeds = seeds
            self.cluster = cluster
            self.clusterIsKnown = clusterIsKnown
            self.metrics = metrics
            self.metricsText = metricsText
        }
    }

    private let configuration: Configuration
    private let base: Foundation
    private let follower: ClusterFollower
    private let heartbeats: Heartbeats
    private let objects: ObjectService
    private let service: HTTPService
    private let status: GatewayStatus

    package init(_ configuration: Configuration, on base: Foundation) {
        GatewayLimits.check()
        precondition(!configuration.encryptionKeys.isEmpty, "the configuration has checked it")
        self.configuration = configuration
        self.base = base
        let follower = ClusterFollower(
            pool: base.pool, addresses: base.addresses, clocks: base.clocks, logger: base.logger,
            seeds: base.seeds)
        self.follower = follower
        let ring = KeyRing(
            current: configuration.encryptionKeys[0],
            older: Array(configuration.encryptionKeys.dropFirst()))
        heartbeats = Heartbeats(
            node: configuration.node, pool: base.pool, follower: follower, logger: base.logger,
            report: {
                Heartbeats.Report(
                    problems: base.discoveryProblems() + (ring.problem.map { [$0] } ?? []))
            })
        let cluster = ClusterByWatch(zone: configuration.node.zone)
        let keys = AccessKeys(
            root: configuration.rootKey, sealKeys: configuration.sealKeys)
        follower.observe { state in
            cluster.update(state)
            keys.update(state.accessKeys)
        }
        let catalogue = CatalogueOverWire(follower: follower, clocks: base.clocks)
        let objects = ObjectService(
            cluster: cluster, catalogue: catalogue,
            chunks: ChunksOverWire(pool: base.pool, clocks: base.clocks, logger: base.logger),
            keys: ring, clocks: base.clocks)
        self.objects = objects
        let status = GatewayStatus(follower: follower)
        self.status = status
        let admin = AdminApplication(
            catalogue: catalogue, keys: keys, clocks: base.clocks, logger: base.logger,
            cluster: { follower.state },
            waitUntil: { await follower.wait(atMost: GatewayLimits.adminWait, until: $0) },
            report: { await StatusReport.ask(base.pool, follower) },
            fingerprint: { base.pool.authorityFingerprint })
        let application = S3Application(
            configuration: S3Application.Configuration(
                region: configuration.region, domain: configuration.domain,
                requestsInFlightMax: configuration.requestsInFlightMax,
                accessLogLevel: configuration.accessLogLevel),
            objects: objects,
            authenticator: Authenticator(
                keys: keys, region: configuration.region, clocks: base.clocks),
            admin: admin, metrics: RequestMetrics(factory: base.metrics),
            logger: base.logger, clocks: base.clocks,
            isFresh: { follower.isFresh })
        service = HTTPService(
            endpoints: NodeEndpoints(
                health: { status.health }, readiness: { status.readiness },
                metrics: base.metricsText),
            application: application, logger: base.logger, clocks: base.clocks)
    }

    /// For the port's listener.
    package var http: PortListener.Initializer { service.initializer }

    package func isReady() -> Bool { status.readiness == .fine }

    /// Why `/health` complains, and why `/ready` says no; `nil` where they don't.
    package var problem: String? { status.health.problem }
    package var unreadiness: String? { status.readiness.problem }

    /// Its machine is about to go: not ready from now on, so that load balancers turn away; what
    /// still comes is served.
    package func depart(_ reason: String) { status.depart(reason) }

    /// - Throws: ``HeartbeatRefused`` where the cluster will not have this node.
    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.service.run() }
            group.addTask { try await self.serve() }
            group.addTask {
                try? await gracefulShutdown()
                // Ready no more, and missed by nobody; what is under way ends; then everything
                // here does.
                self.status.stop()
                await self.heartbeats.leave()
                await self.service.shutdown(atMost: self.configuration.stopTimeout)
                throw CancellationError()
            }
            do {
                while try await group.next() != nil {}
            } catch is CancellationError {
                group.cancelAll()
            }
        }
    }

    private func serve() async throws {
        if base.cluster() == nil {
            let finder = ClusterFinder(
                pool: base.pool, addresses: base.addresses, clocks: base.clocks,
                logger: base.logger,
                seeds: base.seeds, waits: follower.waits)
            try base.clusterIsKnown(try await finder.findCluster())
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.follower.run() }
            group.addTask { await self.objects.run() }
            group.addTask { try await self.heartbeats.run() }
            do {
                while try await group.next() != nil {}
            } catch {
                status.refuse("\(error)")
                throw error
            }
        }
    }
}

/// How the gateway is, in the words of `/health` and `/ready`.
final class GatewayStatus: Sendable {
    private struct State {
        var isStopping = false
        var departure: String?
        var refusal: String?
    }

    private let follower: ClusterFollower
    private let state = Mutex(State())

    init(follower: ClusterFollower) { self.follower = follower }

    func stop() { state.withLock { $0.isStopping = true } }

    func depart(_ reason: String) { state.withLock { $0.departure = reason } }

    func refuse(_ reason: String) { state.withLock { $0.refusal = reason } }

    var health: NodeEndpoints.Verdict {
        if let refusal = state.withLock({ $0.refusal }) {
            return .problem("the cluster refuses this node: \(refusal)")
        }
        return .fine
    }

    var readiness: NodeEndpoints.Verdict {
        let state = state.withLock { $0 }
        if state.isStopping { return .problem("the gateway is stopping") }
        if let departure = state.departure { return .problem(departure) }
        if let refusal = state.refusal { return .problem(refusal) }
        guard follower.isFresh else {
            let reason = follower.problem.map { ": \($0)" } ?? ""
            return .problem("the gateway does not hear the cluster's leader\(reason)")
        }
        let cluster = follower.state
        guard cluster.replicationFactor > 0, cluster.partitions.allSatisfy({ !$0.nodes.isEmpty })
        else { return .problem("there are too few storage nodes for the cluster map yet") }
        let living = cluster.nodes(of: .storage).filter { node in
            cluster.liveness[node.id]?.state == .up
        }
        guard living.count >= cluster.replicationFactor / 2 + 1 else {
            return .problem("\(living.count) storage nodes are up: too few for a write quorum")
        }
        return .fine
    }
}
