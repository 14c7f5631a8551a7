import Core

/// Decides the next step that brings one Raft group's membership where it should be. Pure; asked by
/// the group's leader again and again, one step at a time (single-server changes, thesis 4.1).
///
/// Rules:
/// - Voters: the largest odd number of coordinators that are members, at most ``votersMax``. Their
///   number shrinks only when an operator removes some.
/// - A newcomer is a learner until it has caught up.
/// - A lost voter goes once its replacement has caught up, and the replacement votes after that:
///   at no moment does the group depend on a replacement that may be lost as well (decision 13).
/// - Only while a majority of the voters is healthy. Otherwise nothing happens: an operator
///   decides.
package struct VoterPlan: Equatable, Sendable {
    package enum Health: Equatable, Sendable {
        case healthy
        /// Silent, but not for long enough to be given up.
        case silent
        /// Silent longer than REPAIR_DELAY: replaced where there is a replacement.
        case lost
        /// Removed by an operator: goes, replaced or not.
        case left
    }

    package enum Step: Equatable, Sendable {
        case none
        case addLearner(NodeID)
        case promote(NodeID)
        case remove(NodeID)
    }

    package static let votersMax = 5

    package var voters: [NodeID]
    /// Learners and whether each has caught up with the log.
    package var learners: [NodeID: Bool]
    /// All coordinators of the catalogue.
    package var coordinators: [NodeID: Health]

    package init(
        voters: [NodeID], learners: [NodeID: Bool], coordinators: [NodeID: Health]
    ) {
        self.voters = voters.sorted()
        self.learners = learners
        self.coordinators = coordinators
    }

    package var next: Step {
        let left = voters.filter { health($0) == .left }
        let lost = voters.filter { health($0) == .lost }
        let kept = voters.count - lost.count - left.count
        let healthy = voters.filter { health($0) == .healthy }
        guard healthy.count * 2 > voters.count else { return .none }

        if let gone = learners.keys.sorted().first(where: { isGone($0) }) {
            return .remove(gone)
        }
        if let gone = left.first { return .remove(gone) }
        if let gone = lost.first, kept >= wantedCount { return .remove(gone) }
        guard kept < wantedCount else { return .none }
        let candidates = learners.keys.sorted().filter { health($0) == .healthy }
        if let ready = candidates.first(where: { learners[$0] == true }) {
            return lost.first.map { .remove($0) } ?? .promote(ready)
        }
        if !candidates.isEmpty { return .none }
        let newcomer = coordinators.keys.sorted().first {
            health($0) == .healthy && !voters.contains($0) && learners[$0] == nil
        }
        return newcomer.map { .addLearner($0) } ?? .none
    }

    private func health(_ node: NodeID) -> Health { coordinators[node] ?? .left }

    private func isGone(_ node: NodeID) -> Bool { [.lost, .left].contains(health(node)) }

    private var wantedCount: Int {
        let alive = coordinators.keys.count { !isGone($0) }
        let staying = voters.count { health($0) != .left }
        let most = max(alive, staying)
        return max(1, min(most % 2 == 0 ? most - 1 : most, Self.votersMax))
    }
}
