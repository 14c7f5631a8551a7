import ClusterView
import Core
import Logging
import Messages
import NIOCore
import Wire

/// Carries out what ``PartitionPlanner`` decides, on the system range's leader: proposes the
/// changes of the map and has the new holders pull.
///
/// One simple mover: a round begins some moves, waits for their pulls and commits those that
/// succeeded; the next round tries the others again. Nothing is remembered outside the map: a crash
/// at any point leaves moves that the next leader goes on with, and pulling twice is harmless.
struct PartitionMover: Sendable {
    let consensus: any Consensus
    let mirror: SystemMirror
    let nodes: NodeKeeper
    let pool: WirePool
    let clocks: any Clocks
    let logger: Logger

    /// How long the set of storage nodes must stay the same before the first assignment.
    static let settleMilliseconds: UInt64 = 1_000
    static let pause = Duration.milliseconds(250)
    /// After a step that succeeded: the next one is due.
    static let busyPause = Duration.milliseconds(10)
    static let pullDeadline = TimeAmount.minutes(30)
    static let pullsAtOnce = 16

    /// Goes on until cancelled.
    func run() async throws {
        var storage: Set<NodeID> = []
        var changedAt = clocks.monotonic
        var lastPlanned: Situation?
        var lastIdle: Situation?
        var isBusy = false
        while !Task.isCancelled {
            try await clocks.sleep(for: isBusy ? Self.busyPause : Self.pause)
            isBusy = false
            guard consensus.isLeader(.system) else {
                lastPlanned = nil
                lastIdle = nil
                continue
            }
            let picture = await nodes.picture
            let up = Set(
                picture.entries.filter { $0.value.state == .up && $0.value.isHeard }.keys)
            let state = mirror.state
            let present = up.intersection(state.nodes(of: .storage).map(\.id))
            if present != storage {
                storage = present
                changedAt = clocks.monotonic
            }
            let age = clocks.monotonic.milliseconds - changedAt.milliseconds
            let isSettled = age >= Self.settleMilliseconds
            let situation = Situation(revision: state.revision, up: up, isSettled: isSettled)
            // What is to be done follows from the situation alone: nothing, while it lasts.
            if situation == lastIdle { continue }
            let planner = PartitionPlanner(state: state, up: up)
            // Laying out is the costly part: only where something has changed since there was
            // nothing to do.
            if situation != lastPlanned {
                if let change = planner.change(isSettled: isSettled) {
                    isBusy = await propose(change)
                    continue
                }
                lastPlanned = situation
            }
            let pulls = planner.pulls
            if pulls.isEmpty, planner.movingCount == 0 {
                lastIdle = situation
                continue
            }
            isBusy = await carryOut(planner, pulls, epoch: state.epoch)
        }
    }

    private struct Situation: Equatable {
        let revision: UInt64
        let up: Set<NodeID>
        let isSettled: Bool
    }

    /// - Returns: Whether moves were committed.
    private func carryOut(
        _ planner: PartitionPlanner, _ pulls: [PartitionPlanner.Pull], epoch: Epoch
    ) async -> Bool {
        var done: Set<PartitionPlanner.Pull> = []
        var remaining = pulls[...]
        await withTaskGroup(of: PartitionPlanner.Pull?.self) { group in
            for pull in remaining.prefix(Self.pullsAtOnce) {
                group.addTask { await perform(pull, epoch: epoch) ? pull : nil }
            }
            remaining = remaining.dropFirst(Self.pullsAtOnce)
            for await pull in group {
                if let pull { done.insert(pull) }
                if let next = remaining.popFirst(), consensus.isLeader(.system) {
                    group.addTask { await perform(next, epoch: epoch) ? next : nil }
                }
            }
        }
        guard let commit = planner.commit(done: done) else { return false }
        return await propose(commit)
    }

    /// - Returns: Whether the taker now holds everything that any living holder had.
    private func perform(_ pull: PartitionPlanner.Pull, epoch: Epoch) async -> Bool {
        let request = ProtoPullPartitionRequest.with {
            $0.partition = UInt32(pull.partition.rawValue)
            $0.epoch = epoch.rawValue
            $0.sources = pull.sources.map(\.data)
        }
        do {
            let reply = try await pool.call(
                .partitionPull, to: pull.taker, request, deadline: pool.now + Self.pullDeadline,
                as: ProtoPullPartitionReply.self)
            guard reply.status == .done, reply.unreachable.isEmpty else {
                logger.info(
                    "a partition could not be copied yet",
                    metadata: [
                        "partition": "\(pull.partition)", "to": "\(pull.taker)",
                        "status": "\(reply.status)", "detail": "\(reply.detail)",
                        "unreachable": "\(reply.unreachable.count)",
                    ])
                return false
            }
            if !reply.failed.isEmpty {
                // No living holder has a good copy: waiting would not bring one back.
                logger.error(
                    "chunks of a partition have no readable copy left",
                    metadata: [
                        "partition": "\(pull.partition)",
                        "chunks": "\(reply.failed.compactMap { ChunkID(bytes: $0) })",
                    ])
            }
            return true
        } catch {
            logger.info(
                "a partition could not be copied yet",
                metadata: [
                    "partition": "\(pull.partition)", "to": "\(pull.taker)", "error": "\(error)",
                ])
            return false
        }
    }

    /// Waits until the change is seen here, so that the next plan builds on it.
    ///
    /// - Returns: Whether the map was changed.
    private func propose(_ change: ProtoChangePartitions) async -> Bool {
        let result = await SystemProposal.propose(consensus, clocks, logger) {
            $0.changePartitions = change
        }
        guard let result else { return false }
        guard result.failure == .none else {
            logger.debug(
                "the map changed meanwhile",
                metadata: ["failure": "\(result.failure)", "detail": "\(result.detail)"])
            return false
        }
        logger.info(
            "the cluster map was changed",
            metadata: [
                "epoch": "\(result.epoch)", "assigned": "\(change.assign.count)",
                "begun": "\(change.begin.count)", "committed": "\(change.commit.count)",
                "cancelled": "\(change.cancel.count)",
            ])
        await mirror.reached(revision: result.revision)
        return true
    }
}
