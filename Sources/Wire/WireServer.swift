import Core
import Logging
import NIOCore

/// The server side of the node protocol: what arrives by a ``PortListener``.
package final class WireServer: Sendable {
    /// - Parameters:
    ///   - cluster: This node's cluster, `nil` before formation. Asked at each handshake and at
    ///     each call by a peer that was in no cluster when it shook hands.
    ///   - isExpelled: Nodes whose certificate is refused although it is valid.
    package init(
        certificates: NodeCertificates, routes: WireRoutes = WireRoutes(), logger: Logger,
        cluster: @escaping @Sendable () -> ClusterID?,
        isExpelled: @escaping @Sendable (NodeID) -> Bool = { _ in false }
    ) {}

    /// Replaces the handlers; calls of a method without one fail `unavailable`.
    package func setRoutes(_ routes: WireRoutes) {}

    /// Tells peers to open nothing more here, lets calls in flight finish until `deadline`, then
    /// closes.
    package func shutdown(deadline: NIODeadline) async {}
}
