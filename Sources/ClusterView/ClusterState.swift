import Core
import Foundation
import Messages

/// What a node knows of the system range: nodes, the cluster map, buckets, access keys, ranges. A
/// value; copying it costs a few references.
package struct ClusterState: Sendable {
    package struct Node: Hashable, Sendable {
        package let id: NodeID
        package let label: String
        package let role: NodeRole
        package let address: String
        package let zone: String
        package let capacityBytes: UInt64
        package let membership: ProtoMembership
        package let version: String

        /// Not drained, not given up, not removed.
        package var isMember: Bool { membership == .member }
    }

    package struct Partition: Hashable, Sendable {
        /// In order of preference.
        package var nodes: [NodeID] = []
        /// While it moves: the nodes it will have. No new chunks until that is done.
        package var next: [NodeID] = []

        package init(nodes: [NodeID] = [], next: [NodeID] = []) {
            self.nodes = nodes
            self.next = next
        }
    }

    package struct Liveness: Hashable, Sendable {
        package let state: ProtoNodeState
        package let usedBytes: UInt64
        package let freeBytes: UInt64
        package let refusesWrites: Bool
    }

    package struct RangeBounds: Hashable, Sendable {
        package let range: RangeID
        package let startBucket: BucketID
        package let startKey: [UInt8]
    }

    package private(set) var cluster: ClusterID?
    package private(set) var clusterName = ""
    /// The last applied change of the system range that this state knows of.
    package private(set) var revision: UInt64 = 0
    package private(set) var epoch = Epoch(rawValue: 0)
    package private(set) var replicationFactor = 0
    package private(set) var repairDelayMilliseconds: Int64 = 0
    package private(set) var nodes: [NodeID: Node] = [:]
    package private(set) var liveness: [NodeID: Liveness] = [:]
    /// ``PartitionID/count`` of them, by number.
    package private(set) var partitions = [Partition](
        repeating: Partition(), count: PartitionID.count)
    package private(set) var bucketsByName: [String: ProtoBucket] = [:]
    package private(set) var accessKeys: [String: ProtoAccessKey] = [:]
    /// By start.
    package private(set) var ranges: [RangeBounds] = []
    private var bucketNames: [BucketID: String] = [:]

    package init() {}

    package subscript(partition: PartitionID) -> Partition { partitions[Int(partition.rawValue)] }

    /// The range that a key belongs to: the last one that starts at or before it.
    ///
    /// - Returns: `nil` before the cluster is initialized.
    package func range(of bucket: BucketID, key: [UInt8] = []) -> RangeID? {
        ranges.last {
            $0.startBucket < bucket
                || $0.startBucket == bucket && !key.lexicographicallyPrecedes($0.startKey)
        }?.range
    }

    package func nodes(of role: NodeRole) -> [Node] {
        nodes.values.filter { $0.role == role }.sorted { $0.id < $1.id }
    }

    /// Partitions of which the node holds a copy, or will. Goes through all of them.
    package func partitionCount(of node: NodeID) -> Int {
        partitions.count {
            $0.nodes.contains(node) && ($0.next.isEmpty || !Mutation.isOn(.drainIgnoresMoves))
                || $0.next.contains(node)
        }
    }

    /// ``partitionCount(of:)`` of every node that has any, in one pass.
    package var partitionCounts: [NodeID: Int] {
        var counts: [NodeID: Int] = [:]
        for partition in partitions {
            for node in Set(partition.nodes + partition.next) { counts[node, default: 0] += 1 }
        }
        return counts
    }

    /// Nodes that were removed: their certificates count for nothing.
    package var expelled: Set<NodeID> {
        Set(nodes.values.lazy.filter { $0.membership == .left }.map(\.id))
    }

    /// Takes what the system range answered.
    ///
    /// - Returns: `false` if something in it can't be understood; the state is then to be fetched
    ///   anew from revision 0.
    package mutating func apply(_ changes: ProtoChanges) -> Bool {
        if changes.isFull { self = Self().keepingLiveness(liveness) }
        for node in changes.nodes {
            guard let node = Node(node) else { return false }
            nodes[node.id] = node
        }
        for partition in changes.partitions {
            guard partition.partition < PartitionID.count else { return false }
            partitions[Int(partition.partition)] = Partition(
                nodes: partition.nodes.compactMap { NodeID(bytes: $0) },
                next: partition.next.compactMap { NodeID(bytes: $0) })
        }
        for id in changes.deletedBuckets {
            if let name = bucketNames.removeValue(forKey: BucketID(rawValue: id)) {
                bucketsByName[name] = nil
            }
        }
        for bucket in changes.buckets {
            bucketNames[BucketID(rawValue: bucket.id)] = bucket.name
            bucketsByName[bucket.name] = bucket
        }
        for id in changes.deletedAccessKeys { accessKeys[id] = nil }
        for key in changes.accessKeys { accessKeys[key.id] = key }
        if !changes.ranges.isEmpty { setRanges(changes.ranges) }
        if changes.hasSettings {
            replicationFactor = Int(changes.settings.replicationFactor)
            repairDelayMilliseconds = changes.settings.repairDelayMs
        }
        if !changes.cluster.isEmpty { cluster = ClusterID(bytes: changes.cluster) }
        if !changes.clusterName.isEmpty { clusterName = changes.clusterName }
        epoch = max(epoch, Epoch(rawValue: changes.epoch))
        revision = changes.revision
        return true
    }

    /// Takes the leader's picture of who is up. A new leader expects every node to be up until it
    /// has been silent for too long; what is known of those that it has not heard stays, so that
    /// writes go on across an election. One of which nothing is known gets no new chunks.
    package mutating func apply(_ list: [ProtoNodeLiveness]) {
        let before = liveness
        liveness = [:]
        for entry in list {
            guard let node = NodeID(bytes: entry.node) else { continue }
            liveness[node] =
                entry.isHeard ? Liveness(entry) : Liveness(unheard: entry, before[node])
        }
    }

    private func keepingLiveness(_ liveness: [NodeID: Liveness]) -> Self {
        var copy = self
        copy.liveness = liveness
        return copy
    }

    private mutating func setRanges(_ list: [ProtoRangeBounds]) {
        ranges =
            list.map {
                RangeBounds(
                    range: RangeID(rawValue: $0.range),
                    startBucket: BucketID(rawValue: $0.startBucket), startKey: Array($0.startKey))
            }.sorted {
                $0.startBucket == $1.startBucket
                    ? $0.startKey.lexicographicallyPrecedes($1.startKey)
                    : $0.startBucket < $1.startBucket
            }
    }
}

extension ClusterState.Liveness {
    fileprivate init(_ entry: ProtoNodeLiveness) {
        self.init(
            state: entry.state, usedBytes: entry.usedBytes, freeBytes: entry.freeBytes,
            refusesWrites: entry.refusesWrites)
    }

    fileprivate init(unheard entry: ProtoNodeLiveness, _ before: Self?) {
        self.init(
            state: entry.state == .up ? before?.state ?? .up : entry.state,
            usedBytes: before?.usedBytes ?? 0, freeBytes: before?.freeBytes ?? 0,
            refusesWrites: before?.refusesWrites ?? true)
    }
}

extension ClusterState.Node {
    /// - Returns: `nil` without an id or a known role.
    package init?(_ message: ProtoNode) {
        guard let id = NodeID(bytes: message.id), let role = NodeRole(message.role) else {
            return nil
        }
        self.init(
            id: id, label: message.label, role: role, address: message.address,
            zone: message.zone, capacityBytes: message.capacityBytes,
            membership: message.membership, version: message.version)
    }
}

extension NodeRole {
    package init?(_ role: ProtoRole) {
        switch role {
        case .coordinator: self = .coordinator
        case .storage: self = .storage
        case .gateway: self = .gateway
        case .unknown, .UNRECOGNIZED: return nil
        }
    }

    package var message: ProtoRole {
        switch self {
        case .coordinator: .coordinator
        case .storage: .storage
        case .gateway: .gateway
        }
    }
}

extension Identifier128 {
    /// The identifier's sixteen bytes as messages carry them.
    package var data: Data { Data(bytes) }
}
