import Core

/// Decides when one chunk is durable enough. Pure: no clock, no sockets, no locks.
///
/// ```
/// acked by all                        → commit, nothing missing
/// answered by all, acked by a quorum  → commit, the others missing
/// acked by a quorum                   → the grace begins; it passes: commit, the others missing
/// a quorum can no longer ack          → lost
/// ```
package struct WriteQuorum: Hashable, Sendable {
    package enum Event: Hashable, Sendable {
        /// The copy is on stable storage.
        case acked(NodeID)
        /// The node will not have it, or nobody knows.
        case failed(NodeID)
        case gracePassed
    }

    package enum Action: Hashable, Sendable {
        case none
        /// Wait a little for the others, then say ``Event/gracePassed``.
        case startGrace
        /// Enough copies are durable. `missing`, in the order of the replicas, need repair.
        case commit(missing: [NodeID])
        case lost
    }

    private let replicas: [NodeID]
    /// Disjoint; what is in neither has not answered.
    private var acked: Set<NodeID> = []
    private var failed: Set<NodeID> = []
    private var hasGrace = false
    private var isDecided = false
    private let ackedCountMin: Int

    /// - Parameters:
    ///   - replicas: distinct nodes that shall hold the chunk.
    ///   - absent: those of them that are not asked at all.
    package init(replicas: [NodeID], absent: [NodeID] = [], ackedCountMin: Int) {
        precondition(ackedCountMin > 0)
        precondition(Set(replicas).count == replicas.count, "replicas are distinct")
        precondition(ackedCountMin <= replicas.count - absent.count)
        precondition(absent.allSatisfy(replicas.contains))
        self.replicas = replicas
        self.failed = Set(absent)
        self.ackedCountMin = ackedCountMin
    }

    private var pendingCount: Int { replicas.count - acked.count - failed.count }

    /// - Returns: `.commit` or `.lost` exactly once in the life of the value, `.startGrace` at most
    ///   once and before them, else `.none`. An event of a node that has answered, or that is no
    ///   replica, changes nothing.
    package mutating func handle(_ event: Event) -> Action {
        guard !isDecided else { return .none }
        switch event {
        case .acked(let node):
            guard isPending(node) else { return .none }
            acked.insert(node)
        case .failed(let node):
            guard isPending(node) else { return .none }
            failed.insert(node)
        case .gracePassed:
            guard acked.count >= ackedCountMin else { return .none }
            return commit()
        }
        assert(acked.isDisjoint(with: failed))
        if acked.count + pendingCount < ackedCountMin {
            isDecided = true
            return .lost
        }
        guard acked.count >= ackedCountMin else { return .none }
        if pendingCount == 0 { return commit() }
        guard !hasGrace else { return .none }
        hasGrace = true
        return .startGrace
    }

    private func isPending(_ node: NodeID) -> Bool {
        replicas.contains(node) && !acked.contains(node) && !failed.contains(node)
    }

    private mutating func commit() -> Action {
        isDecided = true
        return .commit(missing: replicas.filter { !acked.contains($0) })
    }
}
