import Core
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import S3
import Synchronization
import Wire

/// What answers requests beyond those that every node answers.
protocol HTTPApplication: Sendable {
    /// Sends exactly one answer, by ``Exchange/send(_:)``.
    func respond(to exchange: Exchange) async throws
}

/// HTTP on connections that the port's sniffer hands over. One per node, of any role.
package final class HTTPService: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var exchanges: [ObjectIdentifier: Exchange] = [:]
        var isStopping = false
    }

    private let endpoints: NodeEndpoints
    private let application: (any HTTPApplication)?
    private let clocks: any Clocks
    private let logger: Logger
    private let state = Mutex(State())
    private let ids = RequestIDs()

    /// A node that answers only `/health`, `/ready` and `/metrics`.
    package convenience init(
        endpoints: NodeEndpoints, logger: Logger, clocks: any Clocks = SystemClocks()
    ) {
        self.init(endpoints: endpoints, application: nil, logger: logger, clocks: clocks)
    }

    init(
        endpoints: NodeEndpoints, application: (any HTTPApplication)?, logger: Logger,
        clocks: any Clocks
    ) {
        self.endpoints = endpoints
        self.application = application
        self.logger = logger
        self.clocks = clocks
    }

    /// For `PortListener.Configuration.http`.
    package var initializer: PortListener.Initializer {
        var configuration = HTTP1Channel.Configuration(
            idleTimeout: GatewayLimits.idleTimeout,
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: GatewayLimits.decoderHeaderBytesMax,
                maxHeaderListSize: GatewayLimits.decoderHeaderBytesMax,
                maxHeaderFieldCount: S3Limits.headerCountMax * 2))
        configuration.additionalChannelHandlers = { [] }
        let http1 = HTTP1Channel(
            responder: { [self] request, writer, channel in
                try await respond(request, writer, channel)
            }, configuration: configuration)
        return { [self] channel in
            guard add(channel) else {
                return channel.eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
            }
            return http1.setup(channel: channel, logger: logger).map { [logger] value in
                // One task for each connection, which ends with it; the port bounds their number,
                // and ``shutdown(atMost:)`` waits for them.
                Task { await http1.handle(value: value, logger: logger) }
            }
        }
    }

    private func add(_ channel: any Channel) -> Bool {
        let id = ObjectIdentifier(channel)
        let isAdded = state.withLock { state in
            if !state.isStopping { state.channels[id] = channel }
            return !state.isStopping
        }
        if isAdded {
            channel.closeFuture.whenComplete { [self] _ in
                state.withLock { _ = $0.channels.removeValue(forKey: id) }
            }
        }
        return isAdded
    }

    private func respond(
        _ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel
    ) async throws {
        let exchange = Exchange(
            request, writer: writer, channel: channel, id: ids.next(), clocks: clocks)
        let key = ObjectIdentifier(exchange)
        state.withLock { $0.exchanges[key] = exchange }
        defer { state.withLock { _ = $0.exchanges.removeValue(forKey: key) } }
        if let reply = await endpoints.reply(to: exchange.head) {
            try await exchange.send(reply)
        } else if let application {
            try await application.respond(to: exchange)
        } else {
            try await exchange.send(.text(404, "This node serves no clients; gateways do.\n"))
        }
        if exchange.closesAfterAnswer {
            await exchange.drain()
            throw ConnectionDone()
        }
    }

    /// Looks for answers whose reader has gone to sleep, and for bodies that do not come. Runs
    /// until its task is cancelled.
    package func run() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: GatewayLimits.stallCheck)
            let now = clocks.monotonic.milliseconds
            let limit = UInt64(GatewayLimits.stallTimeout.components.seconds) * 1000
            let stalled = state.withLock { state in
                state.exchanges.values.filter {
                    let since = $0.waitingSince.load(ordering: .relaxed)
                    return since > 0 && since + limit < now
                }
            }
            for exchange in stalled {
                logger.info(
                    "a connection is closed: its client has stopped",
                    metadata: ["request.id": "\(exchange.id)"])
                exchange.channel.close(promise: nil)
            }
        }
    }

    /// Lets requests in progress end, takes no new ones, then closes what is left.
    package func shutdown(atMost timeout: Duration) async {
        let channels = state.withLock { state in
            state.isStopping = true
            return Array(state.channels.values)
        }
        for channel in channels {
            channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
        let deadline = ContinuousClock.now + timeout
        while ContinuousClock.now < deadline, state.withLock({ !$0.channels.isEmpty }) {
            try? await Task.sleep(for: .milliseconds(20))
        }
        let left = state.withLock { Array($0.channels.values) }
        for channel in left { channel.close(promise: nil) }
    }
}

/// Thrown to end a connection after its answer is sent.
private struct ConnectionDone: Error {}

/// Sixteen hex digits, different for every request of a process and, most likely, of all.
private final class RequestIDs: Sendable {
    private let count: Atomic<UInt64>

    init() {
        var random = SystemRandomNumberGenerator()
        count = Atomic(random.next())
    }

    func next() -> String {
        let (_, number) = count.wrappingAdd(1, ordering: .relaxed)
        var mixer = SeededRandom(seed: number)
        return Hex.encode(mixer.next().bigEndianBytes).uppercased()
    }
}
