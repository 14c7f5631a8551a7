import Core
import DequeModule
import Logging
import Messages
import NIOCore

/// One connection of the node protocol, at either end: the last handler of its pipeline.
///
/// Calls go one way: the side that dialled is the client. A server may therefore stop reading when
/// its answers are not taken, while a client always reads; so two sides never wait for each other.
///
/// `@unchecked Sendable`: all mutable state is touched on `eventLoop` only; other threads enter by
/// `inbox`.
final class WireConnection: ChannelDuplexHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    enum State: Equatable {
        case shakingHands
        case ready
        /// Finishes the calls in flight, takes no new ones.
        case draining
        case closed
    }

    let eventLoop: any EventLoop
    let inbox: LoopInbox
    let settings: WireSettings
    let side: Side
    var state = State.shakingHands
    var context: ChannelHandlerContext?

    // Handshake.
    /// From the peer's certificate, set by the TLS handler's verification.
    let certificate: CertificateCheck
    var peer: PeerIdentity?
    var ownHello: ProtoHello?
    var peerCluster: ClusterID?
    var ownCluster: ClusterID?
    /// Of the beginning, and of the end of a connection that drains.
    var handshakeTimer: Scheduled<Void>?

    // Streams.
    var streams: [UInt32: WireStream] = [:]
    /// Client: the next to open, from 1. Server: one above the last opened.
    var nextStream: UInt32 = 1
    var deadlineTimer: Scheduled<Void>?
    var nextDeadline = NIODeadline.distantFuture
    var messageBytesInFlight = 0

    // Sending.
    var out = ByteBuffer()
    var ring = Deque<WireStream>()
    var sendWindow = 0
    var peerStreamWindow = 0
    var peerMessageBytesMax = 0
    var isReading = false
    var isDirty = false
    var isFlushing = false
    var isFlushScheduled = false
    var isReadHeld = false

    // Receiving.
    var decoder = FrameDecoder()
    var receiveWindow: Int
    var owedBytes = 0

    // Liveness.
    var lastHeard: NIODeadline
    var lastUsed: NIODeadline
    var lastTick: NIODeadline
    var ticker: Scheduled<Void>?
    var closeReason: WireError?

    init(
        eventLoop: any EventLoop, inbox: LoopInbox, settings: WireSettings, side: Side,
        certificate: CertificateCheck
    ) {
        self.eventLoop = eventLoop
        self.inbox = inbox
        self.settings = settings
        self.side = side
        self.certificate = certificate
        self.receiveWindow = settings.connectionWindowBytes
        let now = eventLoop.now
        (lastHeard, lastUsed, lastTick) = (now, now, now)
    }

    var isClient: Bool {
        if case .client = side { true } else { false }
    }

    var logger: Logger {
        switch side {
        case .client(let client): client.logger
        case .server(let server): server.logger
        }
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        handshakeTimer = eventLoop.assumeIsolated().scheduleTask(in: settings.handshakeTimeout) {
            self.close(.refused("no handshake within \(self.settings.handshakeTimeout)"))
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        ended()
        self.context = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if isHandshakeCompleted(event) { tlsIsUp() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isReading = true
        lastHeard = eventLoop.now
        decoder.feed(unwrapInboundIn(data))
        do throws(FrameError) {
            while state != .closed, let event = try decoder.next() {
                try handle(event)
            }
        } catch {
            warn("node protocol broken by the peer: connection closed", "\(error)")
            close(
                state == .shakingHands
                    ? .refused("the peer does not speak this protocol: \(error)")
                    : .connectionLost("the peer broke the protocol: \(error)"))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        if isDirty { flush() }
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if !isClient, isSocketFull {
            isReadHeld = true
        } else {
            context.read()
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            if isReadHeld {
                isReadHeld = false
                context.read()
            }
            if !ring.isEmpty { markDirty() }
        }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        ended()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let refusal = certificate.refusal ?? TLSFailure.refusal(error)
        let reason = refusal ?? TLSFailure.describe(error)
        if state == .shakingHands {
            if refusal != nil || !isClient { warn("node protocol handshake refused", reason) }
            close(refusal == nil ? .unreachable(reason) : .refused(reason))
        } else {
            close(.connectionLost(reason))
        }
    }

    /// A line about a peer that is refused or breaks the rules; strangers can cause them at will.
    func warn(_ message: Logger.Message, _ reason: String) {
        let gate =
            switch side {
            case .client(let client): client.logGate
            case .server(let server): server.logGate
            }
        guard let suppressed = gate.pass(now: eventLoop.now) else { return }
        var metadata: Logger.Metadata = ["reason": "\(reason)", "peer": "\(peerDescription)"]
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        logger.warning(message, metadata: metadata)
    }

    var peerDescription: String {
        if let peer { return peer.description }
        return context?.channel.remoteAddress?.description ?? "unknown"
    }

    // MARK: The end

    /// Closes at once; what is open fails with `reason`.
    func close(_ reason: WireError) {
        guard state != .closed else { return }
        if closeReason == nil { closeReason = reason }
        context?.close(promise: nil)
        ended()
    }

    /// All streams end and the owner is told, once.
    private func ended() {
        guard state != .closed else { return }
        let wasReady = state != .shakingHands
        state = .closed
        handshakeTimer?.cancel()
        deadlineTimer?.cancel()
        ticker?.cancel()
        ring.removeAll()
        let reason =
            closeReason
            ?? (wasReady
                ? .connectionLost("the peer closed the connection")
                : .unreachable("the peer closed the connection during the handshake"))
        let open = streams.values
        streams.removeAll()
        for stream in open { stream.end(reason) }
        switch side {
        case .client(let client): client.onClosed(self, reason)
        case .server(let server): server.closed(self)
        }
    }
}

extension WireConnection {
    /// Which end this is, and who is told what happens.
    enum Side {
        case client(Client)
        case server(WireServer)
    }

    struct Client {
        /// Whom we want to speak to; `nil`: whoever is at the address.
        var expected: NodeID?
        var identity: PeerIdentity
        var lane: Lane
        var cluster: ClusterID?
        var logger: Logger
        var logGate: LogGate
        var onReady: @Sendable (WireConnection) -> Void
        /// The server stops: open nothing more here.
        var onDraining: @Sendable (WireConnection) -> Void
        var onClosed: @Sendable (WireConnection, WireError) -> Void
    }
}
