import ClusterView
import Core
import Logging
import Messages
import NIOCore
import SwiftProtobuf
import Synchronization
import Wire

/// Keeps the catalogue's list of nodes and knows how they are doing: takes heartbeats, registers
/// who is new, gives up who is silent for too long. Acts on the system range's leader only; what it
/// knows of liveness is made anew with each leadership.
actor NodeKeeper {
    private let consensus: any Consensus
    private let mirror: SystemMirror
    private let clocks: any Clocks
    private let logger: Logger
    private let changed: ChangeSignal
    private var liveness = Liveness()
    private var term: UInt64 = 0
    /// Nodes whose registration is under way, so that one change is proposed once.
    private var registering: Set<NodeID> = []

    static let proposeDeadline = TimeAmount.seconds(3)

    init(
        consensus: any Consensus, mirror: SystemMirror, changed: ChangeSignal, clocks: any Clocks,
        logger: Logger
    ) {
        self.consensus = consensus
        self.mirror = mirror
        self.changed = changed
        self.clocks = clocks
        self.logger = logger
    }

    /// This node has become the system range's leader.
    func leads(term: UInt64) {
        self.term = term
        liveness = Liveness()
        expectKnown()
        changed.raise()
    }

    /// What watches answer: who is up, by this leader's picture.
    var picture: (entries: [NodeID: Liveness.Entry], version: UInt64, term: UInt64) {
        (liveness.entries, liveness.version, term)
    }

    // MARK: Heartbeats

    func heard(_ request: ProtoHeartbeatRequest, from peer: PeerIdentity) async throws
        -> ProtoHeartbeatReply
    {
        guard let node = ClusterState.Node(request.node), node.id == peer.node,
            node.role == peer.role
        else { throw WireFailure(.badRequest, "a node speaks for itself only") }
        guard consensus.isLeader(.system) else {
            let leader = await consensus.state(of: .system)?.leader
            return .with {
                $0.status = .notLeader
                $0.leader = leader?.data ?? $0.leader
            }
        }
        guard mirror.state.replicationFactor > 0 else {
            // The first leader has yet to write the cluster down: ask again.
            return .with { $0.status = .notLeader }
        }
        if let refusal = await register(node, request.node, isLeaving: request.isLeaving) {
            return .with {
                $0.status = .done
                $0.refusal = refusal
                $0.membership = mirror.state.nodes[node.id]?.membership ?? .unknown
            }
        }
        let before = liveness.version
        liveness.heard(
            node.id, Liveness.Report(request), isLeaving: request.isLeaving,
            now: clocks.monotonic.milliseconds)
        if liveness.version != before { changed.raise() }
        if request.wantsDrain { await drain(node.id) }
        let state = mirror.state
        let membership = state.nodes[node.id]?.membership ?? .member
        // Every node asks every second: what takes long is done for those alone who need it.
        let isLeaving = request.wantsDrain || membership == .draining
        return .with {
            $0.status = .done
            $0.membership = membership
            $0.partitions = isLeaving ? UInt32(state.partitionCount(of: node.id)) : 0
        }
    }

    /// A storage node's machine is about to go. Only where enough others are there for all copies:
    /// else its chunks have nowhere to move, and it goes as one that fails.
    private func drain(_ node: NodeID) async {
        let state = mirror.state
        guard let known = state.nodes[node], known.role == .storage, known.isMember else { return }
        let others = state.nodes(of: .storage).filter { $0.isMember && $0.id != node }
        guard others.count >= state.replicationFactor, !registering.contains(node) else { return }
        registering.insert(node)
        defer { registering.remove(node) }
        logger.notice(
            "a node drains: its machine is about to go", metadata: ["node": "\(known.label)"])
        _ = await propose { $0.setMembership = .of(node, .draining) }
    }

    /// Brings the catalogue in line with what the node says of itself.
    ///
    /// - Returns: Why the cluster will not have the node, or `nil`.
    private func register(
        _ node: ClusterState.Node, _ message: ProtoNode, isLeaving: Bool
    ) async -> String? {
        let known = mirror.state.nodes[node.id]
        if known?.membership == .left {
            return "node \(node.id) was removed from the cluster; a node with an empty data "
                + "directory may join instead"
        }
        guard !isLeaving, !registering.contains(node.id) else { return nil }
        registering.insert(node.id)
        defer { registering.remove(node.id) }
        if known.map({ isSame($0, node) }) != true {
            if let refusal = await put(node, message) { return refusal }
        }
        if known?.membership == .lost {
            // Its label may have passed to a replacement meanwhile.
            if let refusal = await claimLabel(of: node) { return refusal }
            logger.notice("a lost node is back", metadata: ["node": "\(node.label) \(node.id)"])
            _ = await propose { $0.setMembership = .of(node.id, .member) }
        }
        return nil
    }

    private func isSame(_ known: ClusterState.Node, _ said: ClusterState.Node) -> Bool {
        known.label == said.label && known.address == said.address && known.zone == said.zone
            && known.capacityBytes == said.capacityBytes && known.version == said.version
    }

    private func put(_ node: ClusterState.Node, _ message: ProtoNode) async -> String? {
        if let refusal = await claimLabel(of: node) { return refusal }
        let result = await propose { command in
            command.putNode.node = message
            command.putNode.node.membership = .member
            command.putNode.node.joinedMs = command.timeMs
        }
        switch result?.failure {
        case nil: return nil
        case .some(.none):
            logger.notice(
                "a node was registered",
                metadata: [
                    "node": "\(node.label) \(node.id)", "role": "\(node.role)",
                    "address": "\(node.address)", "zone": "\(node.zone)",
                ])
            return nil
        case .some(let failure):
            return "the catalogue refuses node \(node.label) \(node.id): \(failure) "
                + (result?.detail ?? "")
        }
    }

    /// Two live nodes may not share a label. A silent one gives it up to its replacement, and is
    /// given up itself: its disk has been replaced.
    private func claimLabel(of node: ClusterState.Node) async -> String? {
        let holders = mirror.state.nodes.values.filter {
            $0.label == node.label && $0.id != node.id
                && ($0.membership == .member || $0.membership == .draining)
        }
        for holder in holders {
            let state = liveness.entries[holder.id]?.state
            guard state == .down || state == .stopped else {
                return "NODE_ID '\(node.label)' belongs to another live node (\(holder.id) at "
                    + "\(holder.address)): give this one a label of its own, or wait until the "
                    + "other is down"
            }
            logger.notice(
                "a node's label is taken over; the silent holder is given up",
                metadata: ["label": "\(node.label)", "old": "\(holder.id)", "new": "\(node.id)"])
            _ = await propose { $0.setMembership = .of(holder.id, .lost) }
        }
        return nil
    }

    // MARK: Time

    /// Moves silent nodes on; gives up those silent for longer than REPAIR_DELAY.
    func tick() async {
        // A picture of an earlier leadership is too old to give anybody up by.
        guard let group = await consensus.state(of: .system), group.isLeader, group.term == term
        else { return }
        let before = liveness.version
        expectKnown()
        let now = clocks.monotonic.milliseconds
        liveness.tick(now: now)
        if liveness.version != before { changed.raise() }
        let state = mirror.state
        guard state.repairDelayMilliseconds > 0, !Mutation.isOn(.neverGiveUp) else { return }
        for node in liveness.silent(for: UInt64(state.repairDelayMilliseconds), now: now) {
            guard let known = state.nodes[node],
                known.membership == .member || known.membership == .draining
            else { continue }
            if known.membership == .draining, state.partitionCount(of: node) == 0 {
                logger.notice(
                    "a drained node has been gone for longer than REPAIR_DELAY: it is removed",
                    metadata: ["node": "\(known.label) \(node)"])
                _ = await propose { $0.setMembership = .of(node, .left) }
                continue
            }
            logger.warning(
                "a node is given up: it was silent for longer than REPAIR_DELAY",
                metadata: ["node": "\(known.label) \(node)", "role": "\(known.role)"])
            _ = await propose { $0.setMembership = .of(node, .lost) }
        }
    }

    private func expectKnown() {
        let now = clocks.monotonic.milliseconds
        for node in mirror.state.nodes.values where node.isMember || node.membership == .draining {
            liveness.expect(node.id, now: now)
        }
    }

    private func propose(
        _ fill: @Sendable (inout ProtoSystemCommand) -> Void
    ) async -> ProtoSystemResult? {
        await SystemProposal.propose(consensus, clocks, logger, fill)
    }
}

extension Liveness.Report {
    init(_ request: ProtoHeartbeatRequest) {
        self.init(
            usedBytes: request.usedBytes, freeBytes: request.freeBytes,
            refusesWrites: request.refusesWrites, epoch: request.epoch,
            problems: Array(request.problems.prefix(CoordinatorLimits.problemsPerNodeMax)))
    }
}

extension ProtoSetMembership {
    static func of(_ node: NodeID, _ membership: ProtoMembership) -> Self {
        .with {
            $0.node = node.data
            $0.membership = membership
        }
    }
}
