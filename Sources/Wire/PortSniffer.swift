import Logging
import NIOCore
import NIOSSL

/// The first handler of every accepted connection: reads until it knows who speaks, sets up that
/// pipeline behind itself, hands on what it has read and leaves.
final class PortSniffer: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer

    private let configuration: PortListener.Configuration
    private let counters: PortCounters
    private var bytes = ByteBuffer()
    private var isDecided = false
    private var isReadHeld = false
    private var timer: Scheduled<Void>?

    init(_ configuration: PortListener.Configuration, _ counters: PortCounters) {
        self.configuration = configuration
        self.counters = counters
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let channel = context.channel
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: configuration.sniffTimeout) {
            channel.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var more = unwrapInboundIn(data)
        bytes.writeBuffer(&more)
        guard !isDecided else { return }
        switch FirstBytes.look(at: bytes) {
        case .needMore: break
        case .garbage: refuse(context, "neither TLS nor HTTP")
        case .http:
            guard let http = configuration.http else {
                refuse(context, "HTTP is not served here")
                return
            }
            guard countClient(context) else { return }
            hand(over: context) { http(context.channel) }
        case .tls(let alpn) where alpn.contains(Handshake.alpn):
            guard let wire = configuration.wire else {
                refuse(context, "the node protocol is not served here")
                return
            }
            hand(over: context) {
                context.eventLoop.makeCompletedFuture { try wire.initialize(context.channel) }
            }
        case .tls(let alpn) where alpn.contains(EnrolmentChannel.alpn):
            guard let enrolment = configuration.enrolment else {
                refuse(context, "nodes join at coordinators only")
                return
            }
            hand(over: context) {
                context.eventLoop.makeCompletedFuture { try enrolment.initialize(context.channel) }
            }
        case .tls:
            guard let (tls, initializer) = configuration.https else {
                refuse(context, "TLS is for nodes only; HTTPS is not configured")
                return
            }
            guard countClient(context) else { return }
            hand(over: context) {
                let handler = NIOSSLServerHandler(context: tls)
                do {
                    try context.pipeline.syncOperations.addHandler(handler)
                } catch {
                    return context.eventLoop.makeFailedFuture(error)
                }
                return initializer(context.channel)
            }
        }
    }

    /// While the pipeline is being set up nothing more is read.
    func read(context: ChannelHandlerContext) {
        if isDecided { isReadHeld = true } else { context.read() }
    }

    /// - Returns: `false`, and the connection is closed, when there are too many.
    private func countClient(_ context: ChannelHandlerContext) -> Bool {
        let counters = counters
        let count = counters.clients.add(1, ordering: .relaxed).newValue
        context.channel.closeFuture.whenComplete { _ in
            counters.clients.subtract(1, ordering: .relaxed)
        }
        guard count <= configuration.connectionsMax else {
            counters.overLimit.add(1, ordering: .relaxed)
            refuse(context, "too many clients")
            return false
        }
        return true
    }

    private func hand(
        over context: ChannelHandlerContext, _ initialize: () -> EventLoopFuture<Void>
    ) {
        isDecided = true
        timer?.cancel()
        initialize().assumeIsolated().whenComplete { result in
            switch result {
            case .success: self.leave(context)
            case .failure(let error): self.refuse(context, "\(error)")
            }
        }
    }

    private func leave(_ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        context.fireChannelRead(wrapInboundOut(bytes))
        bytes = ByteBuffer()
        context.fireChannelReadComplete()
        if isReadHeld { context.read() }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    private func refuse(_ context: ChannelHandlerContext, _ reason: String) {
        isDecided = true
        counters.refused.add(1, ordering: .relaxed)
        configuration.logger.debug(
            "connection closed",
            metadata: [
                "reason": "\(reason)", "peer": "\(context.channel.remoteAddress.debugDescription)",
            ])
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if isDecided { context.fireErrorCaught(error) } else { context.close(promise: nil) }
    }
}
