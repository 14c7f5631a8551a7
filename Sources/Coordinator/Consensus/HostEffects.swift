import Core
import Raft

/// What the groups want done after a turn of the loop.
struct HostEffects {
    var log: [LogLane.Request] = []
    /// By receiver, in order.
    var messages: [NodeID: [RangeMessage]] = [:]
    var snapshots: [SnapshotJob] = []
    var leaderships: [(range: RangeID, isLeader: Bool, term: UInt64)] = []
    /// Answers that need nothing more.
    var answers: [(done: ConsensusCompletion, outcome: ConsensusOutcome)] = []
    /// Questions that may be answered from the store now.
    var reads: [(request: HostRequest, handle: GroupHandle)] = []
    /// Snapshot files that nobody wants.
    var uselessFiles: [String] = []

    mutating func send(_ message: RaftMessage, of range: RangeID) {
        messages[message.to, default: []].append(RangeMessage(range: range, message: message))
    }

    mutating func answer(_ request: HostRequest, _ outcome: ConsensusOutcome) {
        answers.append((request.done, outcome))
    }
}

/// A snapshot to send.
struct SnapshotJob: Hashable, Sendable {
    var range: RangeID
    var node: NodeID
    /// The sender's.
    var term: Term
}
