/// The cluster as the system range's leader sees it, for `dstnode status` and for scripts.
package struct ClusterReport: Codable, Sendable, Equatable {
    package struct Node: Codable, Sendable, Equatable {
        /// UUID.
        package var id: String
        package var label: String
        /// `coordinator`, `storage` or `gateway`.
        package var role: String
        package var address: String
        package var zone: String
        /// `up`, `suspect`, `down`, `stopped` (it said so itself) or `unknown`.
        package var state: String
        /// `member`, `draining`, `lost` or `left`.
        package var membership: String
        /// Storage nodes; 0 for others.
        package var capacityBytes: UInt64
        package var usedBytes: UInt64
        package var freeBytes: UInt64
        /// Partitions of which it holds a copy, or will; a node that drains may go at 0.
        package var partitions: Int
        package var version: String
        /// What the node says is wrong with it.
        package var problems: [String]

        package init(
            id: String, label: String, role: String, address: String, zone: String, state: String,
            membership: String, capacityBytes: UInt64 = 0, usedBytes: UInt64 = 0,
            freeBytes: UInt64 = 0, partitions: Int = 0, version: String = "",
            problems: [String] = []
        ) {
            self.id = id
            self.label = label
            self.role = role
            self.address = address
            self.zone = zone
            self.state = state
            self.membership = membership
            self.capacityBytes = capacityBytes
            self.usedBytes = usedBytes
            self.freeBytes = freeBytes
            self.partitions = partitions
            self.version = version
            self.problems = problems
        }
    }

    /// One Raft group.
    package struct Range: Codable, Sendable, Equatable {
        /// `system`, `range-1` …
        package var name: String
        /// UUID; `nil`: none known.
        package var leader: String?
        package var term: UInt64
        package var commitIndex: UInt64
        package var voters: [String]
        package var learners: [String]

        package init(
            name: String, leader: String?, term: UInt64, commitIndex: UInt64, voters: [String],
            learners: [String]
        ) {
            self.name = name
            self.leader = leader
            self.term = term
            self.commitIndex = commitIndex
            self.voters = voters
            self.learners = learners
        }
    }

    package struct Partitions: Codable, Sendable, Equatable {
        package var total: UInt64
        package var moving: UInt64
        package var underReplicated: UInt64

        package init(total: UInt64, moving: UInt64, underReplicated: UInt64) {
            self.total = total
            self.moving = moving
            self.underReplicated = underReplicated
        }
    }

    /// 32 hex digits.
    package var cluster: String
    package var name: String
    /// Version of the cluster map.
    package var epoch: UInt64
    package var replicationFactor: UInt32
    package var nodes: [Node]
    package var ranges: [Range]
    package var partitions: Partitions
    /// Anything wrong that is not one node's; empty where all is well.
    package var problems: [String]

    package init(
        cluster: String, name: String, epoch: UInt64, replicationFactor: UInt32, nodes: [Node],
        ranges: [Range], partitions: Partitions, problems: [String]
    ) {
        self.cluster = cluster
        self.name = name
        self.epoch = epoch
        self.replicationFactor = replicationFactor
        self.nodes = nodes
        self.ranges = ranges
        self.partitions = partitions
        self.problems = problems
    }
}
