import Core

/// Everything that the founding coordinators of a cluster must agree on.
package struct FormationProposal: Equatable, Sendable, Codable {
    package struct Member: Equatable, Sendable, Codable {
        package var node: NodeID
        /// host:port that other nodes dial.
        package var address: String
        /// NODE_ID: for people.
        package var label: String
        package var zone: String

        package init(node: NodeID, address: String, label: String, zone: String) {
            self.node = node
            self.address = address
            self.label = label
            self.zone = zone
        }
    }

    /// What the cluster's operators set before it exists, and can't change by a restart.
    package struct Settings: Equatable, Sendable, Codable {
        package var clusterName: String
        package var replicationFactor: Int
        package var rangeCount: Int
        package var repairDelayMilliseconds: Int64

        package init(
            clusterName: String, replicationFactor: Int, rangeCount: Int,
            repairDelayMilliseconds: Int64
        ) {
            self.clusterName = clusterName
            self.replicationFactor = replicationFactor
            self.rangeCount = rangeCount
            self.repairDelayMilliseconds = repairDelayMilliseconds
        }
    }

    /// Sixteen random bytes; tells proposals of one proposer apart.
    package var id: CommandID
    package var cluster: ClusterID
    package var members: [Member]
    package var settings: Settings
    package var proposer: NodeID

    package init(
        id: CommandID, cluster: ClusterID, members: [Member], settings: Settings, proposer: NodeID
    ) {
        self.id = id
        self.cluster = cluster
        self.members = members
        self.settings = settings
        self.proposer = proposer
    }

    package func includes(_ node: NodeID) -> Bool { members.contains { $0.node == node } }
}

/// What a coordinator remembers of formation, on stable storage, over restarts.
package struct FormationRecord: Equatable, Sendable, Codable {
    package enum Phase: Equatable, Sendable, Codable {
        case blank
        /// It has proposed, has accepted its own proposal, and alone may decide or withdraw it.
        case proposing(FormationProposal)
        /// It has promised itself to another's proposal until that is decided or withdrawn.
        case accepted(FormationProposal)
        /// The cluster exists. For ever.
        case formed(FormationProposal)
    }

    package var phase: Phase = .blank
    /// Proposals of this node that it has taken back, the last few: acceptors ask.
    package var withdrawn: [CommandID] = []

    package static let withdrawnCountMax = 64

    package init() {}

    package var proposal: FormationProposal? {
        switch phase {
        case .blank: nil
        case .proposing(let proposal), .accepted(let proposal), .formed(let proposal): proposal
        }
    }
}

/// What a probe of another coordinator has told.
package struct FormationPeer: Equatable, Sendable {
    package var member: FormationProposal.Member
    package var record: FormationRecord
    /// Coordinators that the peer reaches.
    package var sees: Set<NodeID>

    package init(
        member: FormationProposal.Member, record: FormationRecord, sees: Set<NodeID>
    ) {
        self.member = member
        self.record = record
        self.sees = sees
    }
}
