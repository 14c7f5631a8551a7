import Core

/// A storage node as the layout sees it.
package struct LayoutNode: Hashable, Sendable {
    package let id: NodeID
    package let zone: String
    package let capacityBytes: UInt64

    package init(id: NodeID, zone: String, capacityBytes: UInt64) {
        self.id = id
        self.zone = zone
        self.capacityBytes = capacityBytes
    }
}

/// Decides which nodes each partition should be on.
///
/// ```
/// nodes: zone, capacity ─▶ quotas ─▶ keep what may stay ─▶ fill gaps ─▶ balance ─▶ firsts
/// ```
///
/// - Copies of a partition are on distinct nodes, spread over zones as evenly as zones allow, each
///   node loaded by its capacity.
/// - What is already in place stays: an added node takes its share from the others and nothing else
///   moves; the replicas of a removed node go to the others and nothing else moves (exceptions: a
///   few replicas where the rules leave no direct move).
/// - The same input gives the same answer on every machine, in any order of `nodes`.
package enum Layout {
    /// - Parameters:
    ///   - current: The nodes of each partition, in order, or what it is moving to; ids that are
    ///     not in `nodes` are gone. Empty lists where nothing is assigned yet.
    ///   - nodes: The storage nodes that may hold chunks, each once, at most
    ///     `Limits.nodeCountMax`.
    ///   - replicas: Copies wanted, 1...``PlacementLimits/replicasMax``. With fewer nodes, as many
    ///     as there are.
    /// - Returns: One list for each partition; the first of a list is its preferred reader,
    ///   balanced over the nodes.
    /// - Complexity: O(partitions × nodes) where everything is new, O(changes × partitions) where
    ///   little changes.
    package static func target(
        current: [[NodeID]], nodes: [LayoutNode], replicas: Int
    ) -> [[NodeID]] {
        precondition(replicas >= 1 && replicas <= PlacementLimits.replicasMax)
        precondition(nodes.count <= Limits.nodeCountMax)
        if nodes.isEmpty { return current.map { _ in [] } }
        var solver = LayoutSolver(current: current, nodes: nodes, replicas: replicas)
        solver.fill()
        solver.balance()
        solver.orderFirsts(current: current)
        return solver.lists
    }
}
