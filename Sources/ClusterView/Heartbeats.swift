import Core
import Logging
import Messages
import NIOCore
import Synchronization
import Wire

/// Tells the system range's leader every second that this node is there, and how it does.
package final class Heartbeats: Sendable {
    /// What changes from one heartbeat to the next.
    package struct Report: Sendable {
        package var usedBytes: UInt64 = 0
        package var freeBytes: UInt64 = 0
        package var refusesWrites = false
        package var problems: [String] = []
        package init(problems: [String] = []) { self.problems = problems }
    }

    private let node: ProtoNode
    private let pool: WirePool
    private let follower: ClusterFollower
    private let logger: Logger
    private let report: @Sendable () -> Report
    private let isLeaving = Atomic(false)
    private let wantsDrain = Atomic(false)
    private let standing = Mutex<Standing>(Standing())

    package init(
        node: ProtoNode, pool: WirePool, follower: ClusterFollower, logger: Logger,
        report: @escaping @Sendable () -> Report
    ) {
        self.node = node
        self.pool = pool
        self.follower = follower
        self.logger = logger
        self.report = report
    }

    /// What the cluster's leader said last about this node.
    package struct Standing: Sendable, Equatable {
        /// Unknown before the first answer.
        package var membership = ProtoMembership.unknown
        /// Partitions of which it holds a copy, or will; told only to a node that leaves.
        package var partitions = 0
        /// Whether the question said that the node leaves: else 0 partitions mean nothing.
        package var isOfLeaving = false
    }

    package var lastStanding: Standing { standing.withLock { $0 } }

    /// This machine is about to go: asks to be drained from the next heartbeat on, for good.
    package func drain() { wantsDrain.store(true, ordering: .relaxed) }

    /// Goes on until cancelled, also after ``leave()``.
    ///
    /// - Throws: ``HeartbeatRefused`` where the cluster will not have this node: it stops.
    package func run() async throws {
        var leader: NodeID?
        while !Task.isCancelled {
            leader = try await beat(leader)
            try? await follower.clocks.sleep(for: ClusterViewLimits.heartbeatPause)
        }
    }

    /// Says goodbye, so that nobody waits for this node. Best effort. Heartbeats that come after
    /// it, while the node finishes what is under way, say so too: else they would call it back.
    package func leave() async {
        isLeaving.store(true, ordering: .relaxed)
        _ = try? await beat(nil)
    }

    /// - Returns: The leader that answered.
    private func beat(_ leader: NodeID?) async throws -> NodeID? {
        var search = LeaderSearch(hint: leader)
        let isLeaving = isLeaving.load(ordering: .relaxed)
        let report = self.report()
        let request = ProtoHeartbeatRequest.with {
            $0.node = node
            $0.usedBytes = report.usedBytes
            $0.freeBytes = report.freeBytes
            $0.refusesWrites = report.refusesWrites || isLeaving
            $0.isLeaving = isLeaving
            $0.wantsDrain = wantsDrain.load(ordering: .relaxed)
            $0.epoch = follower.state.epoch.rawValue
            $0.problems = report.problems
        }
        while let next = search.next(among: follower.coordinators), !Task.isCancelled {
            do {
                let reply = try await pool.call(
                    .heartbeat, to: next, request,
                    deadline: pool.now + ClusterViewLimits.heartbeatDeadline,
                    as: ProtoHeartbeatReply.self)
                switch reply.status {
                case .done:
                    if !reply.refusal.isEmpty {
                        throw HeartbeatRefused(
                            reason: reply.refusal, isFinal: reply.membership == .left)
                    }
                    standing.withLock {
                        $0 = Standing(
                            membership: reply.membership, partitions: Int(reply.partitions),
                            isOfLeaving: request.wantsDrain)
                    }
                    return next
                case .notLeader: search.redirected(from: next, to: NodeID(bytes: reply.leader))
                default: search.failed(next)
                }
            } catch let error as WireError {
                logger.debug(
                    "a heartbeat was not answered",
                    metadata: ["coordinator": "\(next)", "error": "\(error)"])
                search.failed(next)
            }
        }
        return nil
    }
}

/// The cluster refuses this node: a label that another live node has, or it was removed.
package struct HeartbeatRefused: Error, CustomStringConvertible {
    package let reason: String
    /// It was removed: nothing but an empty data directory helps. Otherwise it may pass.
    package let isFinal: Bool
    package var description: String { reason }
}
