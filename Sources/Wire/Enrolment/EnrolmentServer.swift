import Core
import Logging
import Messages
import NIOCore
import NIOSSL
import Synchronization

/// A coordinator's door for nodes that have no certificate yet; what arrives by a ``PortListener``
/// with ALPN `dst-join/1`.
package final class EnrolmentServer: Sendable {
    package typealias Handler = @Sendable (ProtoCertificateRequest) async -> ProtoCertificateReply

    private struct State {
        var handler: Handler?
        var count = 0
    }

    private let certificates: NodeCertificates
    private let logger: Logger
    private let logGate = LogGate()
    private let state = Mutex(State())

    package init(certificates: NodeCertificates, logger: Logger) {
        self.certificates = certificates
        self.logger = logger
    }

    /// Until this is called all are told to come again.
    package func serve(_ handler: @escaping Handler) { state.withLock { $0.handler = handler } }

    /// - Throws: Where there are too many, or no certificate: the connection is closed.
    func initialize(_ channel: any Channel) throws {
        guard let context = try certificates.contexts().enrolment else {
            throw ChannelError.operationUnsupported
        }
        let isTaken = state.withLock { state in
            guard state.count < WireLimits.enrolmentsMax else { return false }
            state.count += 1
            return true
        }
        guard isTaken else { throw ChannelError.operationUnsupported }
        channel.closeFuture.whenComplete { _ in self.state.withLock { $0.count -= 1 } }
        try channel.pipeline.syncOperations.addHandlers([
            NIOSSLServerHandler(context: context),
            ByteToMessageHandler(EnrolmentDecoder()),
            EnrolmentServerHandler(self),
        ])
    }

    fileprivate func answer(_ request: ProtoCertificateRequest) async -> ProtoCertificateReply {
        guard let handler = state.withLock({ $0.handler }) else {
            return .with { $0.refusal = "the coordinator is not part of a cluster yet" }
        }
        return await handler(request)
    }

    fileprivate func failed(_ peer: SocketAddress?, _ error: any Error) {
        guard logGate.pass() != nil else { return }
        logger.notice(
            "a joining node broke off: is its token of this cluster?",
            metadata: ["peer": "\(peer?.description ?? "unknown")", "error": "\(error)"])
    }
}

/// One conversation: a request, a reply, the end.
private final class EnrolmentServerHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let server: EnrolmentServer
    private var isAsked = false
    private var timer: Scheduled<Void>?

    init(_ server: EnrolmentServer) { self.server = server }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.scheduleTask(in: WireLimits.enrolmentTime) {
            channel.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isAsked else { return }
        isAsked = true
        guard let request = unwrapInboundIn(data).decoded(as: ProtoCertificateRequest.self) else {
            return errorCaught(context: context, error: EnrolmentError.malformed)
        }
        let (server, channel) = (server, context.channel)
        Task {
            let reply = EnrolmentChannel.write(
                await server.answer(request), to: channel.allocator)
            try? await channel.writeAndFlush(reply)
            try? await channel.close()
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if !isAsked { server.failed(context.remoteAddress, error) }
        context.close(promise: nil)
    }
}
