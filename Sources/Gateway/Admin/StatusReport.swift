import AdminAPI
import ClusterView
import Core
import Messages
import NIOCore
import Wire

/// Puts together what the coordinators say of themselves.
enum StatusReport {
    /// Asks all coordinators at once; those that do not answer in time are left out.
    static func ask(_ pool: WirePool, _ follower: ClusterFollower) async -> ClusterReport {
        let state = follower.state
        let coordinators = state.nodes(of: .coordinator).filter(\.isMember)
        let deadline = pool.now + GatewayLimits.statusDeadline
        let replies = await withTaskGroup(of: ProtoStatusReply?.self) { group in
            for node in coordinators {
                group.addTask {
                    try? await pool.call(
                        .status, to: node.id, ProtoStatusRequest(), deadline: deadline)
                }
            }
            var replies: [ProtoStatusReply] = []
            for await reply in group { if let reply { replies.append(reply) } }
            return replies
        }
        return make(replies, state: state, isFresh: follower.isFresh)
    }

    /// - Parameters:
    ///   - replies: Of the coordinators that answered.
    ///   - state: What this gateway knows by the watch.
    static func make(
        _ replies: [ProtoStatusReply], state: ClusterState, isFresh: Bool
    ) -> ClusterReport {
        let leader = replies.first { $0.isSystemLeader }
        let problems = Dictionary(
            grouping: (leader ?? replies.first)?.problems ?? [],
            by: { NodeID(bytes: $0.node) })
        let nodes = state.nodes.values.sorted {
            ($0.role.rawValue, $0.label, $0.id) < ($1.role.rawValue, $1.label, $1.id)
        }
        let counts = state.partitionCounts
        var general: [String] = (problems[nil] ?? []).map(\.text)
        if !isFresh { general.append("this gateway has not heard the cluster's leader lately") }
        if leader == nil { general.append("no coordinator says that it leads the system range") }
        let coordinators = state.nodes(of: .coordinator).filter(\.isMember).count
        if replies.count < coordinators {
            general.append("\(replies.count) of \(coordinators) coordinators answer")
        }
        return ClusterReport(
            cluster: state.cluster?.hex ?? "", name: state.clusterName,
            epoch: state.epoch.rawValue, replicationFactor: UInt32(state.replicationFactor),
            nodes: nodes.map {
                node(of: $0, state, holds: counts[$0.id] ?? 0, problems[$0.id] ?? [])
            },
            ranges: ranges(replies),
            partitions: ClusterReport.Partitions(
                total: UInt64(PartitionID.count),
                moving: leader?.partitionsMoving
                    ?? UInt64(state.partitions.count { !$0.next.isEmpty }),
                underReplicated: leader?.underReplicatedPartitions ?? 0),
            problems: general)
    }

    private static func node(
        of node: ClusterState.Node, _ state: ClusterState, holds partitions: Int,
        _ problems: [ProtoNodeProblem]
    ) -> ClusterReport.Node {
        let liveness = state.liveness[node.id]
        return ClusterReport.Node(
            id: "\(node.id)", label: node.label, role: node.role.rawValue,
            address: node.address, zone: node.zone, state: name(of: liveness?.state),
            membership: name(of: node.membership),
            capacityBytes: node.role == .storage ? node.capacityBytes : 0,
            usedBytes: liveness?.usedBytes ?? 0, freeBytes: liveness?.freeBytes ?? 0,
            partitions: partitions,
            version: node.version, problems: problems.map(\.text))
    }

    private static func name(of state: ProtoNodeState?) -> String {
        switch state {
        case .up: "up"
        case .suspect: "suspect"
        case .down: "down"
        case .stopped: "stopped"
        case .unknown, .UNRECOGNIZED, nil: "unknown"
        }
    }

    private static func name(of membership: ProtoMembership) -> String {
        switch membership {
        case .member: "member"
        case .draining: "draining"
        case .lost: "lost"
        case .left: "left"
        case .unknown, .UNRECOGNIZED: "unknown"
        }
    }

    /// Of each group, what the coordinator with the newest term says.
    private static func ranges(_ replies: [ProtoStatusReply]) -> [ClusterReport.Range] {
        var newest: [UInt32: ProtoGroupStatus] = [:]
        for group in replies.flatMap(\.groups) {
            if let known = newest[group.range] {
                let isNewer = (group.term, group.commitIndex) > (known.term, known.commitIndex)
                guard isNewer || known.leader.isEmpty && group.term == known.term else { continue }
            }
            newest[group.range] = group
        }
        return newest.values.sorted { $0.range < $1.range }.map { group in
            ClusterReport.Range(
                name: "\(RangeID(rawValue: group.range))",
                leader: NodeID(bytes: group.leader).map { "\($0)" }, term: group.term,
                commitIndex: group.commitIndex,
                voters: group.voters.compactMap { NodeID(bytes: $0) }.map { "\($0)" },
                learners: group.learners.compactMap { NodeID(bytes: $0) }.map { "\($0)" })
        }
    }
}
