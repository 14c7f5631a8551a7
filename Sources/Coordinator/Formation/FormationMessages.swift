import ClusterView
import Core
import Messages
import SwiftProtobuf

typealias MessageRequest = SwiftProtobuf.Message
typealias MessageReply = SwiftProtobuf.Message

extension FormationProposal.Member {
    var message: ProtoFormationMember {
        .with {
            $0.node = node.data
            $0.address = address
            $0.label = label
            $0.zone = zone
        }
    }

    init?(_ message: ProtoFormationMember) {
        guard let node = NodeID(bytes: message.node), !message.address.isEmpty else { return nil }
        self.init(
            node: node, address: message.address, label: message.label, zone: message.zone)
    }
}

extension FormationProposal {
    var message: ProtoFormationProposal {
        .with {
            $0.id = id.data
            $0.cluster = cluster.data
            $0.clusterName = settings.clusterName
            $0.members = members.map(\.message)
            $0.settings.replicationFactor = UInt32(settings.replicationFactor)
            $0.settings.partitionCount = UInt32(PartitionID.count)
            $0.settings.repairDelayMs = settings.repairDelayMilliseconds
            $0.rangeCount = UInt32(settings.rangeCount)
            $0.proposer = proposer.data
        }
    }

    /// - Returns: `nil` where something is missing or out of bounds.
    init?(_ message: ProtoFormationProposal) {
        guard let id = CommandID(bytes: message.id),
            let cluster = ClusterID(bytes: message.cluster),
            let proposer = NodeID(bytes: message.proposer),
            (1...CoordinatorLimits.replicationFactorMax).contains(
                Int(message.settings.replicationFactor)),
            (1...CoordinatorLimits.rangeCountMax).contains(Int(message.rangeCount)),
            message.settings.partitionCount == PartitionID.count,
            (1...CoordinatorLimits.foundersMax).contains(message.members.count)
        else { return nil }
        let members = message.members.compactMap { Member($0) }
        guard members.count == message.members.count,
            Set(members.map(\.node)).count == members.count
        else { return nil }
        self.init(
            id: id, cluster: cluster, members: members,
            settings: Settings(
                clusterName: message.clusterName,
                replicationFactor: Int(message.settings.replicationFactor),
                rangeCount: Int(message.rangeCount),
                repairDelayMilliseconds: message.settings.repairDelayMs),
            proposer: proposer)
    }
}

extension FormationPeer {
    init?(_ reply: ProtoProbeReply) {
        guard let member = FormationProposal.Member(reply.self_p) else { return nil }
        var record = FormationRecord()
        let proposal = FormationProposal(reply.proposal)
        switch (reply.phase, proposal) {
        case (.blank, _): record.phase = .blank
        case (.proposing, let proposal?): record.phase = .proposing(proposal)
        case (.accepted, let proposal?): record.phase = .accepted(proposal)
        case (.formed, let proposal?): record.phase = .formed(proposal)
        default: return nil
        }
        record.withdrawn = reply.withdrawn.compactMap { CommandID(bytes: $0) }
        self.init(
            member: member, record: record, sees: Set(reply.sees.compactMap { NodeID(bytes: $0) }))
    }
}
