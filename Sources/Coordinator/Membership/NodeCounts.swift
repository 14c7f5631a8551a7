import ClusterView
import Core

/// How many nodes of a role are in a state, as the cluster sees them.
package struct NodeCount: Equatable, Sendable {
    package let role: NodeRole
    /// `up`, `suspect`, `down`, `stopped`, or `lost`.
    package let state: String
    package let count: Int

    private static let states = ["up", "suspect", "down", "stopped", "lost"]

    /// Every role and state, those without nodes too: an alert wants a nought, not a gap. Nodes
    /// that were removed are not counted.
    package static func all(in state: ClusterState) -> [NodeCount] {
        var counts: [NodeRole: [String: Int]] = [:]
        for node in state.nodes.values where node.membership != .left {
            counts[node.role, default: [:]][name(of: node, in: state), default: 0] += 1
        }
        return NodeRole.allCases.flatMap { role in
            states.map { NodeCount(role: role, state: $0, count: counts[role]?[$0] ?? 0) }
        }
    }

    private static func name(of node: ClusterState.Node, in state: ClusterState) -> String {
        if node.membership == .lost { return "lost" }
        switch state.liveness[node.id]?.state {
        case .up: return "up"
        case .suspect: return "suspect"
        case .stopped: return "stopped"
        case .down, .unknown, .UNRECOGNIZED, nil: return "down"
        }
    }
}
