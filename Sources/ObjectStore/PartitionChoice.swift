import Core

/// Where one chunk goes. Pure.
struct PartitionChoice: Hashable, Sendable {
    let partition: PartitionID
    /// The replicas, in the map's order.
    let replicas: [NodeID]
    /// Those of them that are not to be asked: down, full, stopping.
    let absent: [NodeID]
    let ackedCountMin: Int

    var nodes: [NodeID] { replicas.filter { !absent.contains($0) } }

    /// Picks at random, in this order of preference: all replicas can take the chunk and none has
    /// failed a moment ago; all can take it; a write quorum can. Never a partition that moves.
    ///
    /// - Returns: `nil` where there is none.
    static func choose(
        _ snapshot: ClusterSnapshot, avoiding: Set<NodeID>,
        random: inout some RandomNumberGenerator
    ) -> PartitionChoice? {
        guard !snapshot.partitions.isEmpty else { return nil }
        let start = Int.random(in: 0..<PartitionID.count, using: &random)
        for tier in Tier.allCases where tier.isPossible(snapshot, avoiding) {
            for _ in 0..<ObjectStoreLimits.partitionDrawsMax {
                let number = Int.random(in: 0..<PartitionID.count, using: &random)
                if let choice = tier.choice(number, snapshot, avoiding) { return choice }
            }
            // Few partitions serve, or none.
            for offset in 0..<PartitionID.count {
                let number = (start + offset) % PartitionID.count
                if let choice = tier.choice(number, snapshot, avoiding) { return choice }
            }
        }
        return nil
    }

    private enum Tier: CaseIterable {
        case all, allOfMap, quorum

        /// Whether there are nodes enough, wherever they are: spares a look at every partition.
        func isPossible(_ snapshot: ClusterSnapshot, _ avoiding: Set<NodeID>) -> Bool {
            let factor = snapshot.replicationFactor
            let count = snapshot.health.count { node, health in
                health.state == .up && health.acceptsWrites
                    && !(self == .all && avoiding.contains(node))
            }
            return factor > 0 && count >= (self == .quorum ? factor / 2 + 1 : factor)
        }

        func choice(
            _ number: Int, _ snapshot: ClusterSnapshot, _ avoiding: Set<NodeID>
        ) -> PartitionChoice? {
            let partition = snapshot.partitions[number]
            let factor = snapshot.replicationFactor
            let isAtRest = partition.next.isEmpty || Mutation.isOn(.writeDuringMove)
            guard isAtRest, partition.nodes.count > 0, factor > 0 else { return nil }
            let replicas = Array(partition.nodes.prefix(factor))
            let absent = replicas.filter { node in
                guard let health = snapshot.health[node] else { return true }
                if self == .all && avoiding.contains(node) { return true }
                return health.state != .up || !health.acceptsWrites
            }
            let ackedCountMin = factor / 2 + 1
            if self == .quorum {
                guard replicas.count - absent.count >= ackedCountMin else { return nil }
            } else {
                guard absent.isEmpty, replicas.count == factor else { return nil }
            }
            guard let id = PartitionID(rawValue: UInt16(number)) else { return nil }
            return PartitionChoice(
                partition: id, replicas: replicas, absent: absent, ackedCountMin: ackedCountMin)
        }
    }
}

/// In which order the copies of a chunk are read. Pure.
enum ReadOrder {
    /// All nodes that may hold a copy: healthy ones first, then same zone, then spread by `spread`;
    /// those that failed a moment ago, or that are down, last.
    static func candidates(
        _ snapshot: ClusterSnapshot, _ partition: PartitionID, avoiding: Set<NodeID>, spread: UInt64
    ) -> [NodeID] {
        guard !snapshot.partitions.isEmpty else { return [] }
        let entry = snapshot.partitions[Int(partition.rawValue)]
        let nodes = entry.nodes + entry.next.filter { !entry.nodes.contains($0) }
        guard !nodes.isEmpty else { return [] }
        let turn = Int(spread % UInt64(nodes.count))
        let turned = nodes[turn...] + nodes[..<turn]
        func rank(_ node: NodeID) -> Int {
            guard let health = snapshot.health[node] else { return 8 }
            // Nodes that partition is moving to may not have it yet.
            let arrives = entry.nodes.contains(node) ? 0 : 1
            return health.state.rawValue * 8 + (avoiding.contains(node) ? 4 : 0) + arrives * 2
                + (health.isSameZone ? 0 : 1)
        }
        return turned.map { (rank($0), $0) }.enumerated()
            .sorted { ($0.element.0, $0.offset) < ($1.element.0, $1.offset) }.map(\.element.1)
    }
}
