import Core

/// What is decided about a node for ever; how it is doing just now is somebody else's matter.
package enum NodeMembership: UInt8, Sendable, CaseIterable {
    /// Takes part.
    case member
    /// Gets nothing new; its partitions move away.
    case draining
    /// Gone for too long: left out of the map; may come back.
    case lost
    /// Removed for good.
    case left
}

/// A node of the cluster.
package struct ClusterNode: Hashable, Sendable {
    package let id: NodeID
    /// The name that people gave it.
    package var label: String
    package var role: NodeRole
    /// `host:port` that other nodes dial.
    package var address: String
    package var zone: String
    package var capacityBytes: UInt64
    package var membership: NodeMembership
    /// Of the program.
    package var version: String

    package init(
        id: NodeID, label: String, role: NodeRole, address: String, zone: String,
        capacityBytes: UInt64, membership: NodeMembership, version: String
    ) {
        self.id = id
        self.label = label
        self.role = role
        self.address = address
        self.zone = zone
        self.capacityBytes = capacityBytes
        self.membership = membership
        self.version = version
    }
}

/// Which nodes there are and which of them hold each partition: a value that every node keeps.
///
/// A partition's list takes two bytes a node: places name nodes by their position in a table.
///
/// ```
/// table   0: node a   1: node b   2: node c …        (a node's position never changes)
/// places  p0: [2 0 1]   p1: [1 2 0] → [1 3 0] …
/// ```
package struct ClusterMap: Sendable, Equatable {
    private struct Place: Sendable, Equatable {
        var nodes: [UInt16] = []
        var next: [UInt16] = []
    }

    package private(set) var epoch = Epoch(rawValue: 0)
    /// Ids that were ever named, by position.
    private var table: [NodeID] = []
    private var positions: [NodeID: UInt16] = [:]
    private var known: [NodeID: ClusterNode] = [:]
    private var places = [Place](repeating: Place(), count: PartitionID.count)

    package init() {}

    // MARK: Reading

    /// In the order of their ids.
    package var nodes: [ClusterNode] { known.values.sorted { $0.id < $1.id } }

    package func node(_ id: NodeID) -> ClusterNode? { known[id] }

    /// Holders in order of preference; empty where nothing is assigned.
    package func nodes(of partition: PartitionID) -> [NodeID] {
        places[Int(partition.rawValue)].nodes.map { table[Int($0)] }
    }

    /// The holders the partition will have; empty while it does not move.
    package func next(of partition: PartitionID) -> [NodeID] {
        places[Int(partition.rawValue)].next.map { table[Int($0)] }
    }

    /// New chunks do not go to a partition that moves.
    package func isMoving(_ partition: PartitionID) -> Bool {
        !places[Int(partition.rawValue)].next.isEmpty
    }

    /// Whether `node` holds the partition, or will.
    package func concerns(_ partition: PartitionID, node: NodeID) -> Bool {
        guard let position = positions[node] else { return false }
        let place = places[Int(partition.rawValue)]
        return place.nodes.contains(position) || place.next.contains(position)
    }

    /// Partitions that `node` holds or will hold, in order.
    package func partitions(of node: NodeID) -> [PartitionID] {
        PartitionID.all.filter { concerns($0, node: node) }
    }

    /// The map in the form that ``MovePlan`` works on.
    package var partitionPlaces: [PartitionPlace] {
        places.map { place in
            PartitionPlace(
                nodes: place.nodes.map { table[Int($0)] }, next: place.next.map { table[Int($0)] })
        }
    }

    /// Storage nodes that the layout may use: members, not the draining, lost and left.
    package var layoutNodes: [LayoutNode] {
        nodes.filter { $0.role == .storage && $0.membership == .member }
            .map { LayoutNode(id: $0.id, zone: $0.zone, capacityBytes: $0.capacityBytes) }
    }

    /// Storage nodes whose copies count.
    package var livingStorage: Set<NodeID> {
        Set(
            known.values.filter {
                $0.role == .storage && ($0.membership == .member || $0.membership == .draining)
            }.map(\.id))
    }

    // MARK: Writing

    /// - Parameter epoch: Never below the present one.
    package mutating func set(epoch: Epoch) {
        precondition(epoch >= self.epoch, "a map does not go back")
        self.epoch = epoch
    }

    package mutating func set(_ node: ClusterNode) { known[node.id] = node }

    /// - Returns: `false`, and nothing is changed, if more nodes than the map can hold were ever
    ///   named.
    package mutating func set(_ partition: PartitionID, to place: PartitionPlace) -> Bool {
        var positions: [[UInt16]] = []
        for list in [place.nodes, place.next] {
            var found: [UInt16] = []
            for node in list {
                guard let position = position(of: node) else { return false }
                found.append(position)
            }
            positions.append(found)
        }
        places[Int(partition.rawValue)] = Place(nodes: positions[0], next: positions[1])
        return true
    }

    private mutating func position(of node: NodeID) -> UInt16? {
        if let position = positions[node] { return position }
        guard table.count < UInt16.max else { return nil }
        let position = UInt16(table.count)
        table.append(node)
        positions[node] = position
        return position
    }

    /// Equal content, whatever the order in which nodes were first named.
    package static func == (left: Self, right: Self) -> Bool {
        left.epoch == right.epoch && left.known == right.known
            && left.partitionPlaces == right.partitionPlaces
    }
}
