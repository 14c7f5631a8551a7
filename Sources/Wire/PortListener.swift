import Logging
import NIOCore
import NIOSSL

/// One TCP port for everything; the first bytes decide.
package final class PortListener: Sendable {
    /// Sets up the pipeline of a connection whose first bytes are already read: they arrive by
    /// `channelRead` once the returned future is done. Called on the channel's loop. With
    /// Hummingbird: `http1.setup(channel: channel, logger: logger).map { value in … }` and hand
    /// `value` to a task that calls `http1.handle(value: value, logger: logger)`.
    package typealias Initializer = @Sendable (any Channel) -> EventLoopFuture<Void>

    package struct Configuration: Sendable {
        /// `host:port`; port 0 takes a free one (tests).
        package var address: String
        package var group: any EventLoopGroup
        package var logger: Logger
        package var wire: WireServer?
        package var http: Initializer?
        /// TLS for clients, where configured.
        package var https: (context: NIOSSLContext, initializer: Initializer)?
        /// Connections at once, of all kinds.
        package var connectionsMax = 4096

        package init(address: String, group: any EventLoopGroup, logger: Logger) {
            self.address = address
            self.group = group
            self.logger = logger
        }
    }

    package let port: Int

    private init(port: Int) { self.port = port }

    package static func bind(
        _ configuration: Configuration
    ) async throws(PortListenerError) -> PortListener { throw .badAddress("") }

    /// Stops accepting and closes all connections but the node protocol's (see
    /// ``WireServer/shutdown(deadline:)``).
    package func close() async {}
}

/// Why the port could not be opened; `description` is for the operator.
package enum PortListenerError: Error, Hashable, Sendable {
    case addressInUse(String)
    case notPermitted(String)
    case badAddress(String)
    case failed(String)
}
