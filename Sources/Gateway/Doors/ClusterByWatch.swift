import ClusterView
import Core
import Messages
import ObjectStore
import Synchronization

/// The cluster as the watch tells it, in the form that operations want.
package final class ClusterByWatch: ClusterDoor {
    private struct State: Sendable {
        var snapshot: ClusterSnapshot
        var partitionsRevision: UInt64 = 0
        var buckets: [String: ProtoBucket] = [:]
    }

    private let zone: String
    private let state: Mutex<State>

    /// - Parameter zone: Of this gateway: copies in it are read first.
    package init(zone: String) {
        self.zone = zone
        state = Mutex(
            State(
                snapshot: ClusterSnapshot(
                    epoch: Epoch(rawValue: 0), replicationFactor: 0, partitions: [],
                    health: [:])))
    }

    package var snapshot: ClusterSnapshot { state.withLock { $0.snapshot } }

    package func bucket(named name: String) -> BucketInfo? {
        state.withLock { $0.buckets[name] }.map { BucketInfo($0) }
    }

    /// Called by ``ClusterFollower`` for each change.
    package func update(_ cluster: ClusterState) {
        let old = state.withLock { $0 }
        var new = old
        if cluster.revision != old.partitionsRevision || old.snapshot.partitions.isEmpty {
            let hasMap = cluster.partitions.contains { !$0.nodes.isEmpty }
            new.snapshot.partitions =
                hasMap
                ? cluster.partitions.map {
                    ClusterSnapshot.Partition(nodes: $0.nodes, next: $0.next)
                } : []
            new.partitionsRevision = cluster.revision
            new.buckets = cluster.bucketsByName
        }
        new.snapshot.epoch = cluster.epoch
        new.snapshot.replicationFactor = cluster.replicationFactor
        new.snapshot.health = health(cluster)
        state.withLock { [new] in $0 = new }
    }

    private func health(_ cluster: ClusterState) -> [NodeID: ClusterSnapshot.Health] {
        var health: [NodeID: ClusterSnapshot.Health] = [:]
        for node in cluster.nodes(of: .storage) {
            let liveness = cluster.liveness[node.id]
            let state: ClusterSnapshot.Health.State =
                switch liveness?.state {
                case .up: .up
                case .suspect: .suspect
                case .down, .stopped, .unknown, .UNRECOGNIZED, nil: .down
                }
            let takesWrites =
                node.isMember && liveness.map { !$0.refusesWrites && $0.freeBytes > 0 } ?? false
            health[node.id] = ClusterSnapshot.Health(
                state: state, acceptsWrites: takesWrites,
                isSameZone: !zone.isEmpty && node.zone == zone)
        }
        return health
    }
}
