import ClusterView
import Core
import Messages
import Placement

/// Decides the next change of the cluster map. Pure; asked by the system range's leader again and
/// again.
///
/// A move takes three steps, each a command: begin (no new chunks go to the partition), copy,
/// commit. The old holders drop their copies afterwards, by themselves. Whoever leads next finds
/// the moves that are under way in the map and goes on.
package struct PartitionPlanner: Sendable {
    /// A pull that one node has to make so that one move can be committed.
    package struct Pull: Hashable, Sendable {
        package let partition: PartitionID
        package let taker: NodeID
        /// Living holders, in order of preference.
        package let sources: [NodeID]
    }

    private let state: ClusterState
    /// Nodes that answer just now.
    private let up: Set<NodeID>
    private let places: [PartitionPlace]
    /// Nodes whose copies count.
    private let living: Set<NodeID>
    /// Nodes that were given up, not removed: their copies may come back with them.
    private let lost: Set<NodeID>

    package init(state: ClusterState, up: Set<NodeID>) {
        self.state = state
        self.up = up
        places = state.partitions.map { PartitionPlace(nodes: $0.nodes, next: $0.next) }
        living = Set(
            state.nodes(of: .storage)
                .filter { $0.membership == .member || $0.membership == .draining }.map(\.id))
        lost = Set(state.nodes(of: .storage).filter { $0.membership == .lost }.map(\.id))
    }

    /// Whether every partition has holders: until then no object can be stored.
    package var isAssigned: Bool { places.allSatisfy { !$0.nodes.isEmpty } }

    /// What to propose now; `nil` for nothing.
    ///
    /// - Parameter isSettled: No storage node has come or gone for a moment, so that the first
    ///   assignment, which costs nothing, covers all that start together.
    package func change(isSettled: Bool) -> ProtoChangePartitions? {
        guard state.replicationFactor > 0 else { return nil }
        let candidates = state.nodes(of: .storage).filter {
            $0.isMember || Mutation.isOn(.plannerCountsGone) && $0.membership != .left
        }
        if isAssigned { return change(with: candidates) }
        let ready = candidates.filter { up.contains($0.id) }
        guard isSettled, ready.count >= state.replicationFactor else { return nil }
        return change(with: ready)
    }

    private func change(with nodes: [ClusterState.Node]) -> ProtoChangePartitions? {
        let target = Layout.target(
            current: MovePlan.base(of: places),
            nodes: nodes.map {
                LayoutNode(id: $0.id, zone: $0.zone, capacityBytes: $0.capacityBytes)
            }, replicas: state.replicationFactor)
        let plan = MovePlan(
            places: places, target: target, living: living, lost: lost,
            replicas: state.replicationFactor,
            limits: MoveLimits(
                movesMax: CoordinatorLimits.movesMax,
                receivesPerNodeMax: CoordinatorLimits.movesPerNodeMax))
        // A node that does not answer just now can't take anything.
        let begin = plan.begin.filter { step in
            let holders = places[Int(step.partition.rawValue)].nodes
            return step.nodes.allSatisfy { up.contains($0) || holders.contains($0) }
        }
        if plan.assign.isEmpty, begin.isEmpty, plan.reorder.isEmpty, plan.cancel.isEmpty {
            return nil
        }
        return .with {
            $0.epoch = state.epoch.rawValue
            $0.assign = plan.assign.map { .of($0.partition, nodes: $0.nodes) }
            $0.begin = (begin + plan.reorder).map { .of($0.partition, next: $0.nodes) }
            $0.commit = plan.reorder.map { UInt32($0.partition.rawValue) }
            $0.cancel = plan.cancel.map { UInt32($0.rawValue) }
        }
    }

    /// Pulls that the moves under way need.
    package var pulls: [Pull] {
        zip(PartitionID.all, places).flatMap { partition, place in
            place.next.filter { !place.nodes.contains($0) && up.contains($0) }.map {
                Pull(
                    partition: partition, taker: $0,
                    sources: place.nodes.filter { living.contains($0) })
            }
        }
    }

    /// Moves that can be committed: every taker has pulled.
    package func commit(done: Set<Pull>) -> ProtoChangePartitions? {
        let arrived = Set(done.map { Arrival(partition: $0.partition, taker: $0.taker) })
        let ready = zip(PartitionID.all, places).filter { partition, place in
            !place.next.isEmpty
                && place.next.allSatisfy {
                    place.nodes.contains($0) || Mutation.isOn(.commitUnpulledMove)
                        || arrived.contains(Arrival(partition: partition, taker: $0))
                }
        }
        if ready.isEmpty { return nil }
        return .with {
            $0.epoch = state.epoch.rawValue
            $0.commit = ready.map { UInt32($0.0.rawValue) }
        }
    }

    private struct Arrival: Hashable {
        let partition: PartitionID
        let taker: NodeID
    }

    /// Partitions with fewer copies on nodes that answer than the cluster promises.
    package var underReplicatedCount: Int {
        places.count { place in
            !place.nodes.isEmpty && place.nodes.count { up.contains($0) } < state.replicationFactor
        }
    }

    package var movingCount: Int { places.count { !$0.next.isEmpty } }
}

extension ProtoPartitionNodes {
    fileprivate static func of(
        _ partition: PartitionID, nodes: [NodeID] = [], next: [NodeID] = []
    ) -> Self {
        .with {
            $0.partition = UInt32(partition.rawValue)
            $0.nodes = nodes.map(\.data)
            $0.next = next.map(\.data)
        }
    }
}
