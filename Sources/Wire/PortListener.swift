import Core
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

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
        /// For nodes that have no certificate yet; coordinators only.
        package var enrolment: EnrolmentServer?
        package var http: Initializer?
        /// TLS for clients, where configured.
        package var https: (context: NIOSSLContext, initializer: Initializer)?
        /// Connections of clients (HTTP, HTTPS) at once; more are closed at once. Nodes have a
        /// number of their own, so that clients cannot shut them out.
        package var connectionsMax = 4096
        /// How long the first bytes may take.
        package var sniffTimeout = TimeAmount.seconds(10)

        package init(address: String, group: any EventLoopGroup, logger: Logger) {
            self.address = address
            self.group = group
            self.logger = logger
        }
    }

    package var port: Int { channel.localAddress?.port ?? 0 }
    package let counters: PortCounters
    private let channel: any Channel
    private let open: OpenChannels

    private init(channel: any Channel, counters: PortCounters, open: OpenChannels) {
        self.channel = channel
        self.counters = counters
        self.open = open
    }

    package static func bind(
        _ configuration: Configuration
    ) async throws(PortListenerError) -> PortListener {
        let address = configuration.address
        guard let place = HostPort(address, mayBeAny: true) else { throw .badAddress(address) }
        let counters = PortCounters()
        let open = OpenChannels(
            max: configuration.connectionsMax + WireLimits.nodeConnectionsMax)
        let bootstrap = ServerBootstrap(group: configuration.group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: .wire)
            .childChannelOption(.recvAllocator, value: .wire)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    guard open.add(channel) else {
                        counters.overLimit.add(1, ordering: .relaxed)
                        throw ChannelError.operationUnsupported
                    }
                    counters.accepted.add(1, ordering: .relaxed)
                    try channel.pipeline.syncOperations.addHandler(
                        PortSniffer(configuration, counters))
                }
            }
        do {
            let channel = try await bootstrap.bind(host: place.host, port: place.port).get()
            return PortListener(channel: channel, counters: counters, open: open)
        } catch {
            throw PortListenerError(error, address: address)
        }
    }

    /// Stops accepting; connections go on.
    package func stopAccepting() async {
        try? await channel.close()
    }

    /// Stops accepting and closes all connections. Those of the node protocol and of HTTP are to
    /// be ended in good order before (``WireServer/shutdown(deadline:)``).
    package func close() async {
        await stopAccepting()
        let children = open.all()
        for child in children { child.close(promise: nil) }
        for child in children { try? await child.closeFuture.get() }
    }
}

/// The connections of a port, bounded.
private final class OpenChannels: Sendable {
    private let max: Int
    private let channels: Mutex<[ObjectIdentifier: any Channel]> = Mutex([:])

    init(max: Int) { self.max = max }

    /// - Returns: `false` when there are too many.
    func add(_ channel: any Channel) -> Bool {
        let id = ObjectIdentifier(channel)
        let isAdded = channels.withLock { channels in
            guard channels.count < max else { return false }
            channels[id] = channel
            return true
        }
        if isAdded {
            channel.closeFuture.whenComplete { _ in
                self.channels.withLock { _ = $0.removeValue(forKey: id) }
            }
        }
        return isAdded
    }

    func all() -> [any Channel] { channels.withLock { Array($0.values) } }
}

/// What came to the port; for metrics.
package final class PortCounters: Sendable {
    package let accepted = Atomic<Int>(0)
    package let refused = Atomic<Int>(0)
    package let overLimit = Atomic<Int>(0)
    /// Connections of clients that are open now.
    package let clients = Atomic<Int>(0)

    init() {}
}

/// Why the port could not be opened; `description` is for the operator.
package enum PortListenerError: Error, Hashable, Sendable, CustomStringConvertible {
    case addressInUse(String)
    case notPermitted(String)
    case notLocal(String)
    case badAddress(String)
    case failed(String, reason: String)

    init(_ error: any Error, address: String) {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE: self = .addressInUse(address)
        case EACCES, EPERM: self = .notPermitted(address)
        case EADDRNOTAVAIL: self = .notLocal(address)
        default: self = .failed(address, reason: "\(error)")
        }
    }

    package var description: String {
        switch self {
        case .addressInUse(let address):
            "\(address) is taken by another process: stop it (ss -ltnp shows which it is) or set "
                + "LISTEN_ADDRESS to a free port"
        case .notPermitted(let address):
            "the system does not let us listen on \(address): set LISTEN_ADDRESS to a port of 1024 "
                + "or above"
        case .notLocal(let address):
            "\(address) is not an address of this machine: set LISTEN_ADDRESS to 0.0.0.0:PORT or to "
                + "an address that `ip address` shows"
        case .badAddress(let address):
            "'\(address)' is no address: LISTEN_ADDRESS is host:port, such as 0.0.0.0:9000"
        case .failed(let address, let reason):
            "cannot listen on \(address): \(reason)"
        }
    }
}
