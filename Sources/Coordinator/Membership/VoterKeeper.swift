import ClusterView
import Core
import Logging
import Messages
import NIOCore
import Wire

/// Brings the membership of the groups that this node leads where ``VoterPlan`` wants it.
struct VoterKeeper: Sendable {
    let consensus: any Consensus
    let mirror: SystemMirror
    let logger: Logger
    let me: NodeID
    let pool: WirePool
    let clocks: any Clocks

    static let askDeadline = TimeAmount.seconds(1)
    static let pause = Duration.seconds(1)
    static let changeDeadline = TimeAmount.seconds(5)

    /// Goes on until cancelled.
    func run() async throws {
        while !Task.isCancelled {
            try await clocks.sleep(for: Self.pause)
            let led = consensus.ranges.filter { consensus.isLeader($0) }
            guard !led.isEmpty else { continue }
            let health = await lookAround()
            for range in led { await step(range, health) }
        }
    }

    private func lookAround() async -> [NodeID: VoterPlan.Health] {
        var health: [NodeID: VoterPlan.Health] = [:]
        for node in mirror.state.nodes(of: .coordinator) {
            switch node.membership {
            case .left: health[node.id] = .left
            case .lost: health[node.id] = .lost
            default: health[node.id] = await answers(node.id) ? .healthy : .silent
            }
        }
        return health
    }

    private func answers(_ node: NodeID) async -> Bool {
        if node == me { return true }
        let answer = try? await pool.call(
            .formationProbe, to: node, ProtoProbeRequest(), deadline: pool.now + Self.askDeadline,
            as: ProtoProbeReply.self)
        return answer != nil
    }

    private func step(_ range: RangeID, _ health: [NodeID: VoterPlan.Health]) async {
        guard let group = await consensus.state(of: range), group.isLeader else { return }
        // Before the founders are in the catalogue nobody is taken for removed.
        guard group.voters.allSatisfy({ health[$0] != nil }) else { return }
        let step = VoterPlan(
            voters: group.voters, learners: group.learners, coordinators: health
        ).next
        guard step != .none else { return }
        let isDone = await consensus.change(
            range, step, deadline: consensus.now + Self.changeDeadline)
        logger.notice(
            "the membership of a group \(isDone ? "was" : "could not be") changed",
            metadata: ["range": "\(range)", "step": "\(step)"])
    }
}
