import Core

/// Who a node is, proven by its certificate.
package struct PeerIdentity: Hashable, Sendable, CustomStringConvertible {
    package let node: NodeID
    package let role: NodeRole

    package init(node: NodeID, role: NodeRole) {
        self.node = node
        self.role = role
    }

    package var description: String { "\(role.rawValue) \(node)" }
}
