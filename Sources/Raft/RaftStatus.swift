import Core

/// Where a proposal went. It is lost if another entry is committed at its index.
package struct RaftProposal: Hashable, Sendable {
    package var term: Term
    /// The first command's index; the others follow.
    package var first: LogIndex
    package var count: Int
    package init(term: Term, first: LogIndex, count: Int) {
        self.term = term
        self.first = first
        self.count = count
    }
}

/// A picture for people, metrics and the decision to promote a learner.
package struct RaftStatus: Hashable, Sendable {
    package var role = RaftRole.follower
    package var term = Term.zero
    package var leader: NodeID?
    package var last = LogPosition.zero
    package var commit = LogIndex.zero
    package var applied = LogIndex.zero
    package var membership = Membership.none
    /// Of a leader: every member but itself.
    package var peers: [Peer] = []

    package init() {}

    package struct Peer: Hashable, Sendable {
        package var node: NodeID
        package var isVoter: Bool
        /// The last entry known to be durable there.
        package var match: LogIndex
        package var isReceivingSnapshot: Bool
        /// When the leader (by its own clock, in milliseconds) sent what was answered last; nil:
        /// nothing was answered.
        package var ackedAt: UInt64?
    }
}
