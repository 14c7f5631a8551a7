import Core

/// Bounds of what placement is asked to do, and its tuning.
package enum PlacementLimits {
    /// Copies of a partition, at most; erasure coding will use up to k + m of them.
    package static let replicasMax = 16
    /// A node gets at most this many times the share that its capacity gives it, for the sake of
    /// spreading over zones. Without it the one node left in a zone would be handed a copy of
    /// everything, fill up, and stop every partition from taking writes.
    package static let overloadFactor = 2
    /// A load this far from a node's share (in percent of the share, at least one partition) moves
    /// nothing by itself.
    package static let slackPercent = 2

    /// Capacity counts in MiB and up to 4 PiB a node.
    package static let weightMax = Int(UInt32.max)

    package static func check() {
        precondition(replicasMax <= Limits.nodeCountMax, "copies live on distinct nodes")
        precondition(Limits.nodeCountMax < UInt16.max, "node indices fit 16 bits")
        precondition(
            PartitionID.count * replicasMax <= Int.max / weightMax / Limits.nodeCountMax,
            "shares are computed in 63 bits: see Quota")
        precondition(overloadFactor > 1, "a node can carry its own share")
    }
}
