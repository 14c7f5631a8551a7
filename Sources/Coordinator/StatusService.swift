import ClusterView
import Core
import Messages

/// Answers `cluster.status`: what this coordinator knows of its groups; from the system range's
/// leader also the nodes, the map and how everybody does.
struct StatusService: Sendable {
    let me: NodeID
    let proposal: FormationProposal
    let consensus: any Consensus
    let mirror: SystemMirror
    let nodes: NodeKeeper

    func answer() async throws -> ProtoStatusReply {
        var reply = ProtoStatusReply()
        reply.node = me.data
        reply.cluster = proposal.cluster.data
        reply.clusterName = proposal.settings.clusterName
        reply.isSystemLeader = consensus.isLeader(.system)
        for range in consensus.ranges {
            if let state = await consensus.state(of: range) {
                reply.groups.append(.of(range, state))
            }
        }
        guard reply.isSystemLeader else { return reply }
        let query = ProtoSystemQuery.with { $0.getChanges.since = 0 }
        let bytes = try await consensus.localAnswer(.system, try query.serializedBytes())
        reply.state = try ProtoSystemAnswer(serializedBytes: bytes).changes
        // Secrets, sealed as they are, are nobody's business here.
        reply.state.accessKeys = []
        let picture = await nodes.picture
        reply.liveness = picture.entries.map { .of($0, $1) }
        for (node, entry) in picture.entries {
            for problem in entry.report.problems {
                reply.problems.append(
                    .with {
                        $0.node = node.data
                        $0.text = problem
                    })
            }
        }
        let up = Set(picture.entries.filter { $0.value.state == .up }.keys)
        let planner = PartitionPlanner(state: mirror.state, up: up)
        reply.partitionsMoving = UInt64(planner.movingCount)
        reply.underReplicatedPartitions = UInt64(planner.underReplicatedCount)
        return reply
    }
}

extension ProtoGroupStatus {
    static func of(_ range: RangeID, _ state: ConsensusState) -> Self {
        .with {
            $0.range = range.rawValue
            if let leader = state.leader { $0.leader = leader.data }
            $0.term = state.term
            $0.commitIndex = state.commitIndex
            $0.appliedIndex = state.appliedIndex
            $0.voters = state.voters.map(\.data)
            $0.learners = state.learners.keys.sorted().map(\.data)
            $0.logFirstIndex = state.logFirstIndex
        }
    }
}
