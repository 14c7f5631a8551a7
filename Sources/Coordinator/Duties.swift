import ClusterView
import Core
import Logging
import Messages
import NIOCore
import Synchronization
import Wire

/// What a coordinator does by itself, besides answering: each duty is a loop that acts only where
/// this node leads.
struct Duties: Sendable {
    let configuration: Coordinator.Configuration
    let base: Coordinator.Foundation
    let consensus: any Consensus
    let mirror: SystemMirror
    let keeper: NodeKeeper
    let proposal: FormationProposal
    let changed: ChangeSignal
    let leadership: LeadershipRelay

    static let tickPause = Duration.milliseconds(250)

    func start(in group: inout ThrowingTaskGroup<Void, any Error>) {
        let mover = PartitionMover(
            consensus: consensus, mirror: mirror, nodes: keeper, pool: base.pool,
            clocks: base.clocks, logger: base.logger)
        let voters = VoterKeeper(
            consensus: consensus, mirror: mirror, logger: base.logger, me: configuration.me.node,
            pool: base.pool, clocks: base.clocks)
        let housekeeper = makeHousekeeper()
        group.addTask { try await follow() }
        group.addTask { try await tick() }
        group.addTask { try await mover.run() }
        group.addTask { try await voters.run() }
        group.addTask { try await housekeeper.run() }
    }

    private func makeHousekeeper() -> Housekeeper {
        let coordinators = { @Sendable [mirror] in
            mirror.state.nodes(of: .coordinator).map(\.id)
        }
        return Housekeeper(
            consensus: consensus,
            garbage: GarbageWorker(
                consensus: consensus, mirror: mirror, pool: base.pool, clocks: base.clocks,
                logger: base.logger, graceMilliseconds: configuration.garbageGraceMilliseconds),
            repairs: RepairWorker(
                consensus: consensus, mirror: mirror, pool: base.pool, clocks: base.clocks,
                logger: base.logger),
            fences: FenceWorker(
                consensus: consensus,
                client: CatalogueClient(
                    pool: base.pool, clocks: base.clocks, coordinators: coordinators),
                clocks: base.clocks, logger: base.logger),
            clocks: base.clocks, logger: base.logger)
    }

    /// Keeps the mirror up to date with what is applied here, and wakes who waits for it.
    private func follow() async throws {
        for await _ in leadership.wakeUps {
            let (isApplied, ledTerm) = leadership.take()
            if isApplied {
                do {
                    try await mirror.refresh()
                    changed.raise()
                } catch {
                    base.logger.error("the system range could not be read: \(error)")
                }
            }
            if let ledTerm { await keeper.leads(term: ledTerm) }
        }
        try Task.checkCancellation()
    }

    private func tick() async throws {
        while !Task.isCancelled {
            try await base.clocks.sleep(for: Self.tickPause)
            await keeper.tick()
            await initialize()
        }
    }

    /// The first leader of a new cluster writes down what its founders have agreed on. Once: the
    /// catalogue refuses a second time.
    private func initialize() async {
        guard consensus.isLeader(.system), mirror.state.cluster == nil else { return }
        let count = UInt64(proposal.settings.rangeCount)
        let width = UInt64.max / count
        let result = await SystemProposal.propose(consensus, base.clocks, base.logger) { command in
            command.initialize.cluster = proposal.cluster.data
            command.initialize.name = proposal.settings.clusterName
            command.initialize.settings = proposal.message.settings
            command.initialize.ranges = (0..<count).map { number in
                .with {
                    $0.range = UInt32(number + 1)
                    $0.startBucket = number * width
                }
            }
            command.initialize.coordinators = proposal.members.map { member in
                .with {
                    $0.id = member.node.data
                    $0.label = member.label
                    $0.role = .coordinator
                    $0.address = member.address
                    $0.zone = member.zone
                    $0.membership = .member
                    $0.joinedMs = command.timeMs
                }
            }
        }
        if result?.failure == ProtoCatalogueFailure.none {
            base.logger.notice(
                "the cluster was initialized", metadata: ["cluster": "\(proposal.cluster)"])
        }
    }
}

/// Carries what the runner of Raft groups tells to the duties. It keeps what is pending, not every
/// event: one wake-up tells all that happened since the last.
final class LeadershipRelay: ConsensusObserver {
    private struct Pending {
        var isApplied = true
        var ledTerm: UInt64?
    }

    /// One element stands for any number of events.
    let wakeUps: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let pending = Mutex(Pending())

    init() {
        (wakeUps, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        continuation.yield()
    }

    /// What happened since it was last asked.
    func take() -> (isApplied: Bool, ledTerm: UInt64?) {
        pending.withLock { pending in
            defer { pending = Pending(isApplied: false) }
            return (pending.isApplied, pending.ledTerm)
        }
    }

    func applied(_ range: RangeID, index: UInt64) {
        guard range == .system else { return }
        pending.withLock { $0.isApplied = true }
        continuation.yield()
    }

    func leadershipChanged(_ range: RangeID, isLeader: Bool, term: UInt64) {
        guard range == .system else { return }
        pending.withLock { $0.ledTerm = isLeader ? term : nil }
        continuation.yield()
    }
}
