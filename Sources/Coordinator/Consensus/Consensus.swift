import Core
import NIOCore

/// What the rest of the coordinator asks of its Raft groups. ``RaftHost`` is the real one.
package protocol Consensus: Sendable {
    /// Proposes a serialized command and waits until it is applied here.
    func propose(
        _ range: RangeID, _ command: [UInt8], deadline: NIODeadline
    ) async -> ConsensusOutcome

    /// Answers a serialized question linearizably: by this node as leader, or not at all.
    func query(_ range: RangeID, _ query: [UInt8], deadline: NIODeadline) async -> ConsensusOutcome

    /// Answers from what this node has applied, which may be old.
    func localAnswer(_ range: RangeID, _ query: [UInt8]) async throws -> [UInt8]

    /// Whether this node leads the group and has applied an entry of its own term.
    func isLeader(_ range: RangeID) -> Bool

    /// What deadlines are counted from.
    var now: NIODeadline { get }

    /// All groups of this node, in order.
    var ranges: [RangeID] { get }

    /// Position and membership of one group; `nil` for a group that is not here.
    func state(of range: RangeID) async -> ConsensusState?

    /// Changes the membership of a group that this node leads, and waits until it is committed.
    /// - Returns: `false` where it was refused (not leader, another change under way): ask again.
    func change(_ range: RangeID, _ step: VoterPlan.Step, deadline: NIODeadline) async -> Bool

    /// Hands the group over; best effort.
    func transferLeadership(_ range: RangeID, to node: NodeID) async
}

/// What came of a proposal or a question.
package enum ConsensusOutcome: Equatable, Sendable {
    /// The serialized result or answer.
    case done([UInt8])
    /// Nothing was done; ask `leader`, or any other coordinator.
    case notLeader(NodeID?)
    /// It may or may not be applied. Repeat with the same command id.
    case uncertain
    /// Nothing was done; shed the request.
    case overloaded
    case noSuchRange
}

package struct ConsensusState: Equatable, Sendable {
    package var leader: NodeID?
    package var isLeader: Bool
    package var term: UInt64
    package var commitIndex: UInt64
    package var appliedIndex: UInt64
    package var logFirstIndex: UInt64
    package var voters: [NodeID]
    /// Leaders: whether each has caught up. Others: `false`.
    package var learners: [NodeID: Bool]

    package init(
        leader: NodeID?, isLeader: Bool, term: UInt64, commitIndex: UInt64, appliedIndex: UInt64,
        logFirstIndex: UInt64, voters: [NodeID], learners: [NodeID: Bool]
    ) {
        self.leader = leader
        self.isLeader = isLeader
        self.term = term
        self.commitIndex = commitIndex
        self.appliedIndex = appliedIndex
        self.logFirstIndex = logFirstIndex
        self.voters = voters
        self.learners = learners
    }
}

/// What a runner of Raft groups tells the coordinator; called on any thread, must not block.
package protocol ConsensusObserver: Sendable {
    func applied(_ range: RangeID, index: UInt64)
    /// `isLeader` is true only once an entry of the leader's own term is applied.
    func leadershipChanged(_ range: RangeID, isLeader: Bool, term: UInt64)
}
