import ClusterView
import Core
import Logging
import Messages
import NIOCore
import ServiceLifecycle
import Synchronization
import Wire

/// One coordinator: forms or joins the cluster, runs its Raft groups, and, where it leads, keeps
/// the cluster in order. Runs until the surrounding service group stops.
package final class Coordinator: Service {
    package struct Configuration: Sendable {
        package var me: FormationProposal.Member
        package var version: String
        package var directory: String
        package var policy: FormationCore.Policy
        /// How long chunks of overwritten and deleted objects stay for their readers.
        package var garbageGraceMilliseconds: Int64
        /// SWEEP_AGE: chunks that nothing names are removed once they are older.
        package var sweepAgeMilliseconds: Int64
        /// What secrets of access keys are sealed with; given to gateways that join by a token.
        package var sealKeys: [[UInt8]] = []

        package init(
            me: FormationProposal.Member, version: String, directory: String,
            policy: FormationCore.Policy, garbageGraceMilliseconds: Int64,
            sweepAgeMilliseconds: Int64
        ) {
            self.me = me
            self.version = version
            self.directory = directory
            self.policy = policy
            self.garbageGraceMilliseconds = garbageGraceMilliseconds
            self.sweepAgeMilliseconds = sweepAgeMilliseconds
        }
    }

    /// What the coordinator stands on.
    package struct Foundation: Sendable {
        package var pool: WirePool
        package var server: WireServer
        /// Where nodes without CLUSTER_SECRET ask for certificates.
        package var enrolment: EnrolmentServer
        package var certificates: NodeCertificates
        package var addresses: AddressBook
        package var clocks: any Clocks
        package var logger: Logger
        /// Addresses of coordinators, by discovery.
        package var seeds: @Sendable () async -> [String]
        /// What discovery complains of now: told with every heartbeat.
        package var discoveryProblems: @Sendable () -> [String] = { [] }
        /// Told once the cluster is known, before anything is served: it goes into `node.json`, and
        /// handshakes name it from then on.
        package var clusterIsKnown: @Sendable (ClusterID) throws -> Void
        package var openConsensus:
            @Sendable (FormationProposal, any ConsensusObserver) async throws ->
                any RunningConsensus

        package init(
            pool: WirePool, server: WireServer, enrolment: EnrolmentServer,
            certificates: NodeCertificates, addresses: AddressBook, clocks: any Clocks,
            logger: Logger, seeds: @escaping @Sendable () async -> [String],
            clusterIsKnown: @escaping @Sendable (ClusterID) throws -> Void,
            openConsensus:
                @escaping @Sendable (FormationProposal, any ConsensusObserver)
                async throws -> any RunningConsensus
        ) {
            self.pool = pool
            self.server = server
            self.enrolment = enrolment
            self.certificates = certificates
            self.addresses = addresses
            self.clocks = clocks
            self.logger = logger
            self.seeds = seeds
            self.clusterIsKnown = clusterIsKnown
            self.openConsensus = openConsensus
        }
    }

    private let configuration: Configuration
    private let base: Foundation
    private let formation: Formation
    private let follower: ClusterFollower
    private let running = Mutex<(any RunningConsensus)?>(nil)

    /// - Throws: ``FormationError`` where the formation record can't be read.
    package init(_ configuration: Configuration, on base: Foundation) throws {
        CoordinatorLimits.check()
        self.configuration = configuration
        self.base = base
        formation = try Formation(
            me: configuration.me, policy: configuration.policy,
            directory: configuration.directory, pool: base.pool, clocks: base.clocks,
            logger: base.logger, discover: base.seeds)
        // It may lead itself, and where it is alone nobody else names it.
        let (seeds, own) = (base.seeds, configuration.me.address)
        follower = ClusterFollower(
            pool: base.pool, addresses: base.addresses, clocks: base.clocks, logger: base.logger,
            seeds: {
                let found = await seeds()
                return found.contains(own) ? found : found + [own]
            })
        base.server.setRoutes(FormationService.routes(to: formation))
    }

    /// Whether this coordinator can serve: it belongs to a cluster, hears the system range's
    /// leader, and knows a leader of each of its groups.
    ///
    /// - Returns: Why not, for operators; `nil` where it is ready.
    package func unreadiness() async -> String? {
        guard let consensus = running.withLock({ $0 }) else {
            return "not part of a cluster yet: \(await formation.waitsFor)"
        }
        guard follower.isFresh else {
            return "the cluster's leader is not heard: "
                + (follower.problem ?? "coordinators are being asked")
        }
        for range in consensus.ranges {
            guard await consensus.state(of: range)?.leader != nil else {
                return "\(range) has no leader that is known here"
            }
        }
        return nil
    }

    /// Its machine is about to go: hands its leaderships over. Called again while ``keepsIt`` says
    /// that it leads: an election may have given some back.
    package func depart() async { await running.withLock { $0 }?.handOver() }

    /// What others would wait for if this node went now; `nil` where it may go.
    package func keepsIt() async -> String? {
        guard let consensus = running.withLock({ $0 }) else { return nil }
        let led = consensus.ranges.count { consensus.isLeader($0) }
        if led > 0 { return "it leads \(led) ranges" }
        let voters = await consensus.state(of: .system)?.voters ?? []
        guard voters.contains(configuration.me.node) else { return nil }
        let state = follower.state
        let others = voters.count {
            $0 != configuration.me.node && state.liveness[$0]?.state == .up
        }
        if others > voters.count / 2 { return nil }
        return "without it \(others) of \(voters.count) coordinators are up, which is no majority"
    }

    /// Nodes by role and state; told by the coordinator that leads the system range alone, so that
    /// each node is counted once.
    package var nodeCounts: [NodeCount] {
        guard let consensus = running.withLock({ $0 }), consensus.isLeader(.system) else {
            return []
        }
        return NodeCount.all(in: follower.state)
    }

    /// Whether the disk is read: all that needs no other node. Waiting for peers to form a cluster
    /// with is not reading the disk.
    package func isOpen() async -> Bool {
        if running.withLock({ $0 != nil }) { return true }
        return await formation.formed == nil
    }

    package func run() async throws {
        let proposal = try await cancelWhenGracefulShutdown { [formation] in
            try await formation.run()
        }
        try base.clusterIsKnown(proposal.cluster)
        for member in proposal.members { base.addresses.set(member.address, of: member.node) }
        let leadership = LeadershipRelay()
        let consensus = try await base.openConsensus(proposal, leadership)
        running.withLock { $0 = consensus }
        try await serve(proposal, consensus, leadership)
    }

    private func serve(
        _ proposal: FormationProposal, _ consensus: any RunningConsensus,
        _ leadership: LeadershipRelay
    ) async throws {
        let mirror = SystemMirror(
            consensus: consensus, addresses: base.addresses, clocks: base.clocks)
        let changed = ChangeSignal()
        let keeper = NodeKeeper(
            consensus: consensus, mirror: mirror, changed: changed, clocks: base.clocks,
            logger: base.logger)
        let heartbeats = Heartbeats(
            node: .of(configuration), pool: base.pool, follower: follower, logger: base.logger,
            report: { [base] in Heartbeats.Report(problems: base.discoveryProblems()) })
        setRoutes(consensus, mirror, keeper, changed, proposal)
        let issuer = CertificateIssuer(
            consensus: consensus, mirror: mirror, certificates: base.certificates,
            sealKeys: configuration.sealKeys, cluster: proposal.cluster, clocks: base.clocks,
            logger: base.logger)
        base.enrolment.serve { await issuer.answer($0) }
        follower.observe { [server = base.server] in server.setExpelled($0.expelled) }
        let duties = Duties(
            configuration: configuration, base: base, consensus: consensus, mirror: mirror,
            keeper: keeper, proposal: proposal, changed: changed, leadership: leadership)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await consensus.run() }
            group.addTask { await self.follower.run() }
            group.addTask { try await heartbeats.run() }
            duties.start(in: &group)
            group.addTask {
                // Ends the group from here on a graceful stop: what leads is handed over first, so
                // that it is the next leader who hears the goodbye.
                try? await gracefulShutdown()
                await consensus.handOver()
                await heartbeats.leave()
                throw CancellationError()
            }
            do {
                while try await group.next() != nil {}
            } catch is CancellationError {
                group.cancelAll()
            }
        }
    }

    private func setRoutes(
        _ consensus: any RunningConsensus, _ mirror: SystemMirror, _ keeper: NodeKeeper,
        _ changed: ChangeSignal, _ proposal: FormationProposal
    ) {
        var routes = FormationService.routes(to: formation)
        consensus.addRoutes(to: &routes)
        let watch = WatchService(
            consensus: consensus, mirror: mirror, nodes: keeper, changed: changed)
        let status = StatusService(
            me: configuration.me.node, proposal: proposal, consensus: consensus, mirror: mirror,
            nodes: keeper)
        routes.on(.watch) { call in call.respond { try await watch.answer($0) } }
        routes.on(.heartbeat) { call in
            call.respond { try await keeper.heard(try $0.decode(), from: $0.peer) }
        }
        let sweep = SweepService(
            consensus: consensus, clocks: base.clocks, logger: base.logger,
            ageMilliseconds: configuration.sweepAgeMilliseconds)
        routes.on(.sweep) { call in
            call.respond { try await sweep.answer(try $0.decode(), deadline: $0.deadline) }
        }
        routes.on(.status) { call in call.respond { _ in try await status.answer() } }
        base.server.setRoutes(routes)
    }
}

/// A runner of Raft groups with its life.
package protocol RunningConsensus: Consensus {
    /// Runs the groups until cancelled.
    ///
    /// - Throws: Where it can't go on, an fsync error above all: the process stops.
    func run() async throws
    /// Serves proposals, questions and the groups' own messages.
    func addRoutes(to routes: inout WireRoutes)
    /// Hands all leaderships to others; best effort, bounded in time.
    func handOver() async
}

extension ProtoNode {
    static func of(_ configuration: Coordinator.Configuration) -> Self {
        .with {
            $0.id = configuration.me.node.data
            $0.label = configuration.me.label
            $0.role = .coordinator
            $0.address = configuration.me.address
            $0.zone = configuration.me.zone
            $0.membership = .member
            $0.version = configuration.version
        }
    }
}
