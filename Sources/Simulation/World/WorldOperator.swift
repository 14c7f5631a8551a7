import ClusterView
import Core
import Foundation
import Gateway
import Messages

/// Who drains nodes and takes them back, through whatever gateway is up.
///
/// `@unchecked Sendable`: confined to the thread of its ``SimulatedTime``.
final class WorldOperator: @unchecked Sendable {
    private static let attemptsMax = 200
    private static let looksMax = 10
    private static let attemptMilliseconds: UInt64 = 5_000

    private let clocks: SimulatedClocks
    private let nodes: [SimulatedNode]
    private let watch: ClusterWatch
    private let inspect: () -> WorldInspection

    init(
        _ time: SimulatedTime, _ nodes: [SimulatedNode], _ watch: ClusterWatch,
        inspect: @escaping () -> WorldInspection
    ) {
        clocks = SimulatedClocks(time)
        self.nodes = nodes
        self.watch = watch
        self.inspect = inspect
    }

    private var gateways: [SimulatedProcess] {
        nodes.filter { $0.role == .gateway }.compactMap(\.process)
    }

    private var newestState: ClusterState? {
        gateways.compactMap(\.follower).filter(\.isFresh).map(\.state)
            .max { $0.revision < $1.revision }
    }

    /// Drains the node if there are enough others, as `dstnode drain` would, and waits until it
    /// could be removed: then nothing may be lost with it.
    func drain(_ node: SimulatedNode, copies: Int, atMost milliseconds: UInt64) async {
        guard let identity = node.process?.identity.node,
            let state = gateways.first?.follower?.state
        else { return }
        let others = state.nodes(of: .storage).filter { $0.isMember && $0.id != identity }
        guard others.count >= copies else { return }
        await set(identity, .draining)
        let end = clocks.monotonic.milliseconds + milliseconds
        while clocks.monotonic.milliseconds < end {
            if let state = newestState, state.nodes[identity]?.membership == .draining,
                state.partitionCount(of: identity) == 0
            {
                let isHolder = state.partitions.contains {
                    $0.nodes.contains(identity) || $0.next.contains(identity)
                }
                if isHolder { watch.failed("\(node.name) could be removed, but has partitions") }
                if let loss = inspect().loss(without: identity) {
                    watch.failed("\(node.name) could be removed, it was said: \(loss)")
                }
                return
            }
            try? await clocks.sleep(for: .milliseconds(100))
        }
    }

    /// Takes back all that drain; looks again for a while, for a gateway may know of it late.
    func takeAllBack() async {
        for _ in 0..<Self.looksMax {
            for node in (newestState?.nodes.values.sorted { $0.id < $1.id }) ?? []
            where node.membership == .draining { await set(node.id, .member) }
            try? await clocks.sleep(for: .seconds(3))
        }
    }

    private func set(_ node: NodeID, _ membership: ProtoMembership) async {
        for _ in 0..<Self.attemptsMax {
            if await propose(node, membership) { return }
            try? await clocks.sleep(for: .milliseconds(500))
        }
    }

    private func propose(_ node: NodeID, _ membership: ProtoMembership) async -> Bool {
        guard let process = gateways.first, let catalogue = process.catalogue else { return false }
        var random = Randomness.system
        var command = ProtoSystemCommand()
        command.id = Data(CommandID.random(using: &random).bytes)
        command.timeMs = process.clocks.wall.milliseconds
        command.setMembership.node = node.data
        command.setMembership.membership = membership
        let deadline = MonotonicTime(
            milliseconds: process.clocks.monotonic.milliseconds + Self.attemptMilliseconds)
        do {
            return try await catalogue.propose(system: command, deadline: deadline).failure == .none
        } catch {
            return false
        }
    }
}
