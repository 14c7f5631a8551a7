import NIOCore
import NIOHTTP1

/// What a node says about itself over HTTP: `/health`, `/ready`, `/metrics`. For coordinators and
/// storage nodes, whose port is the node protocol's otherwise.
struct StatusResponder: Sendable {
    /// What is wrong; `nil` where nothing is.
    typealias Check = @Sendable () async -> String?

    var health: Check
    var ready: Check
    var metrics: @Sendable () -> String

    struct Answer: Sendable {
        var status: HTTPResponseStatus
        var text: String
    }

    func answer(_ method: HTTPMethod, _ path: String) async -> Answer {
        guard method == .GET || method == .HEAD else {
            return Answer(status: .methodNotAllowed, text: "only GET and HEAD\n")
        }
        switch path.split(separator: "?", maxSplits: 1).first ?? "" {
        case "/health": return Self.answer(await health(), well: "healthy\n")
        case "/ready": return Self.answer(await ready(), well: "ready\n")
        case "/metrics": return Answer(status: .ok, text: metrics())
        default:
            return Answer(
                status: .notFound, text: "no gateway: S3 is served by nodes of that role\n")
        }
    }

    private static func answer(_ problem: String?, well: String) -> Answer {
        guard let problem else { return Answer(status: .ok, text: well) }
        return Answer(status: .serviceUnavailable, text: problem + "\n")
    }

    /// Sets up a connection whose first bytes say HTTP.
    func setUp(_ channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(HTTPResponseEncoder())
            try pipeline.addHandler(
                ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
            try pipeline.addHandler(HTTPServerProtocolErrorHandler())
            try pipeline.addHandler(StatusHandler(responder: self))
        }
    }
}

/// One connection of a ``StatusResponder``: one request at a time, bodies ignored.
private final class StatusHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    static let idleMax = TimeAmount.seconds(60)

    private let responder: StatusResponder
    private var head: HTTPRequestHead?
    private var isAnswering = false
    private var bodyBytes = 0
    private var idle: Scheduled<Void>?

    init(responder: StatusResponder) { self.responder = responder }

    func handlerAdded(context: ChannelHandlerContext) { restartIdle(context) }

    func channelInactive(context: ChannelHandlerContext) { idle?.cancel() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            // Pipelined requests are nobody's habit here.
            if isAnswering { return context.close(promise: nil) }
            self.head = head
            bodyBytes = 0
        case .body(let bytes):
            bodyBytes += bytes.readableBytes
            if bodyBytes > 64 << 10 { context.close(promise: nil) }
        case .end:
            guard let head else { return }
            self.head = nil
            answer(head, context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func answer(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        isAnswering = true
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let responder = responder
        context.eventLoop.makeFutureWithTask { await responder.answer(head.method, head.uri) }
            .whenSuccess { answer in
                let (handler, context) = bound.value
                handler.send(answer, to: head, context)
            }
    }

    private func send(
        _ answer: StatusResponder.Answer, to head: HTTPRequestHead, _ context: ChannelHandlerContext
    ) {
        isAnswering = false
        restartIdle(context)
        let body = ByteBuffer(string: answer.text)
        var headers = HTTPHeaders()
        headers.add(name: "content-type", value: "text/plain; charset=utf-8")
        headers.add(name: "content-length", value: "\(body.readableBytes)")
        if !head.isKeepAlive { headers.add(name: "connection", value: "close") }
        let response = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
        context.write(wrapOutboundOut(.head(response)), promise: nil)
        if head.method != .HEAD {
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        }
        let closes = !head.isKeepAlive
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
            if closes { bound.value.close(promise: nil) }
        }
    }

    private func restartIdle(_ context: ChannelHandlerContext) {
        idle?.cancel()
        let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
        idle = context.eventLoop.scheduleTask(in: Self.idleMax) { bound.value.close(promise: nil) }
    }
}
