import Core

/// Who takes part in a group. Voters elect and commit; learners only receive (thesis 4.2.1).
package struct Membership: Hashable, Sendable {
    /// Sorted, each once; disjoint from `learners`.
    package private(set) var voters: [NodeID]
    /// Sorted, each once.
    package private(set) var learners: [NodeID]

    package static let none = Membership(voters: [], learners: [])

    package init(voters: some Sequence<NodeID>, learners: some Sequence<NodeID> = []) {
        let voters = Set(voters)
        self.voters = voters.sorted()
        self.learners = Set(learners).subtracting(voters).sorted()
    }

    package func isVoter(_ node: NodeID) -> Bool { voters.contains(node) }
    package func isLearner(_ node: NodeID) -> Bool { learners.contains(node) }
    package func contains(_ node: NodeID) -> Bool { isVoter(node) || isLearner(node) }

    /// The membership after `change`, which differs by at most one voter (thesis 4.1).
    ///
    /// - Returns: `nil` if the change changes nothing or would leave no voter.
    package func applying(_ change: MembershipChange) -> Membership? {
        switch change {
        case .addLearner(let node):
            return contains(node)
                ? nil : Membership(voters: voters, learners: learners + [node])
        case .promote(let node):
            guard isLearner(node) else { return nil }
            return Membership(voters: voters + [node], learners: learners.filter { $0 != node })
        case .remove(let node):
            guard contains(node), voters != [node] else { return nil }
            return Membership(
                voters: voters.filter { $0 != node }, learners: learners.filter { $0 != node })
        }
    }
}

/// One step of a membership change. Safe because any two majorities of neighbouring memberships
/// share a node (thesis 4.1).
package enum MembershipChange: Hashable, Sendable {
    case addLearner(NodeID)
    /// Learner to voter. When the learner has caught up far enough is the shell's decision.
    case promote(NodeID)
    /// Voter or learner.
    case remove(NodeID)
}
