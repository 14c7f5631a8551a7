import Core
import NIOCore

/// How connections to peers are made, and how peers prove who they are.
package enum WireDialer: Sendable {
    /// TCP, and TLS with the certificates of both.
    case tcp
    /// In simulations: whoever joins two channels knows who is at either end, and what passes is
    /// not encrypted. The peer's end goes to ``WireServer/accept(_:from:)``.
    case simulated(
        @Sendable (HostPort, any EventLoop) -> EventLoopFuture<(any Channel, PeerIdentity)>)
}
