import Core

/// Where a partition is, and where it is going.
package struct PartitionPlace: Hashable, Sendable {
    /// Holders in order of preference; empty where nothing is assigned yet.
    package var nodes: [NodeID]
    /// The holders it will have; empty while it does not move.
    package var next: [NodeID]

    package init(nodes: [NodeID], next: [NodeID] = []) {
        self.nodes = nodes
        self.next = next
    }
}

/// How many moves may be under way at once.
package struct MoveLimits: Sendable {
    package let movesMax: Int
    /// Partitions that one node receives at once.
    package let receivesPerNodeMax: Int

    package init(movesMax: Int, receivesPerNodeMax: Int) {
        precondition(movesMax >= 0 && receivesPerNodeMax >= 0)
        self.movesMax = movesMax
        self.receivesPerNodeMax = receivesPerNodeMax
    }
}

/// The next step from the map as it is to the map as it should be: one `ChangePartitions`.
///
/// A partition with too few living copies goes before one that is merely in the wrong place. A move
/// under way is left alone unless a node it goes to is gone. The plan only ever copies first: the
/// caller commits a move when all of its `next` hold everything.
///
/// A lost holder stays in the list until another node has taken its place: it may come back with
/// its copy, and while nodes are few that copy may be the last one (decision 14).
package struct MovePlan: Equatable, Sendable {
    package struct Step: Equatable, Sendable {
        package let partition: PartitionID
        package let nodes: [NodeID]
    }

    /// Partitions without nodes: these are theirs at once.
    package private(set) var assign: [Step] = []
    /// Moves to begin.
    package private(set) var begin: [Step] = []
    /// Partitions whose nodes stay and only change order: begin and commit them in one command,
    /// nothing is copied.
    package private(set) var reorder: [Step] = []
    /// Moves under way to a node that is gone.
    package private(set) var cancel: [PartitionID] = []
    /// Partitions with no living holder: they wait for one to come back.
    package private(set) var stranded: [PartitionID] = []
    /// Partitions that must still move, but not now: the limits are reached, or there is nobody to
    /// take a copy.
    package private(set) var waitingCount = 0

    /// - Parameters:
    ///   - places: The map, by partition.
    ///   - target: Of ``Layout/target(current:nodes:replicas:)``, as long as `places`.
    ///   - living: Nodes whose copies count: members and draining nodes, not the lost and the left.
    ///   - lost: Nodes that were given up for their silence: their copies don't count, and may be
    ///     there.
    ///   - replicas: Copies wanted.
    package init(
        places: [PartitionPlace], target: [[NodeID]], living: Set<NodeID>,
        lost: Set<NodeID> = [], replicas: Int, limits: MoveLimits
    ) {
        precondition(places.count == target.count)
        var receives: [NodeID: Int] = [:]
        var moveCount = 0
        var candidates: [(copies: Int, step: Step)] = []
        for (number, place) in places.enumerated() {
            guard let partition = PartitionID(rawValue: UInt16(number)) else { break }
            let step = Step(
                partition: partition,
                nodes: Self.keeping(lost, of: place.nodes, in: target[number], upTo: replicas))
            if !place.next.isEmpty {
                if place.next.contains(where: { Self.isGone($0, from: place, living, lost) }) {
                    cancel.append(partition)
                } else {
                    moveCount += 1
                    for node in place.next where !place.nodes.contains(node) {
                        receives[node, default: 0] += 1
                    }
                }
            } else if place.nodes.isEmpty {
                if !step.nodes.isEmpty { assign.append(step) }
            } else if place.nodes != step.nodes {
                let copies = place.nodes.count { living.contains($0) }
                if copies == 0 {
                    stranded.append(partition)
                } else if Set(place.nodes) == Set(step.nodes) {
                    reorder.append(step)
                } else if step.nodes.count < min(replicas, copies) {
                    // Never give up a living copy for want of nodes: a drain waits.
                    waitingCount += 1
                } else {
                    candidates.append((copies, step))
                }
            }
        }
        // Stable: by copies, then by partition.
        for copies in 1...PlacementLimits.replicasMax {
            for candidate in candidates where candidate.copies == copies {
                let step = candidate.step
                let nodes = places[Int(step.partition.rawValue)].nodes
                let takers = step.nodes.filter { !nodes.contains($0) }
                let hasRoom = takers.allSatisfy {
                    receives[$0, default: 0] < limits.receivesPerNodeMax
                }
                guard moveCount < limits.movesMax, hasRoom else {
                    waitingCount += 1
                    continue
                }
                moveCount += 1
                for node in takers { receives[node, default: 0] += 1 }
                begin.append(step)
            }
        }
    }

    /// The target with lost holders at its end, as far as there are places for them.
    private static func keeping(
        _ lost: Set<NodeID>, of holders: [NodeID], in target: [NodeID], upTo replicas: Int
    ) -> [NodeID] {
        let room = max(0, min(replicas, holders.count) - target.count)
        return target + holders.filter { lost.contains($0) && !target.contains($0) }.prefix(room)
    }

    /// Whether a move that goes on to the node can't end: it has nothing to take, or was removed.
    private static func isGone(
        _ node: NodeID, from place: PartitionPlace, _ living: Set<NodeID>, _ lost: Set<NodeID>
    ) -> Bool {
        if living.contains(node) { return false }
        return !(place.nodes.contains(node) && lost.contains(node))
    }

    /// Nothing to do now.
    package var isEmpty: Bool {
        assign.isEmpty && begin.isEmpty && reorder.isEmpty && cancel.isEmpty
    }

    /// What `Layout.target` should build on: a partition that moves counts as arrived.
    package static func base(of places: [PartitionPlace]) -> [[NodeID]] {
        places.map { $0.next.isEmpty ? $0.nodes : $0.next }
    }
}
