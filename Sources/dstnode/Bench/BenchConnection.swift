import NIOCore

/// One connection that always has one request under way.
final class BenchConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let lane: BenchLane
    private var scanner = ResponseScanner()
    private var request: BenchWork.Request?
    private var since = NIODeadline.distantPast
    private var isDone = false

    init(lane: BenchLane) { self.lane = lane }

    func channelActive(context: ChannelHandlerContext) { sendNext(context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        guard let request else { return context.close(promise: nil) }
        do {
            let isHead = request.operation == .head
            guard let response = try scanner.scan(&buffer, isHead: isHead) else { return }
            self.request = nil
            lane.answered(request, response, since: since)
            if response.closes { context.close(promise: nil) } else { sendNext(context) }
        } catch {
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        if request != nil { lane.failed(status: 0) }
        request = nil
        lane.closed(isDone: isDone)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func sendNext(_ context: ChannelHandlerContext) {
        guard let next = lane.next() else {
            isDone = true
            return context.close(promise: nil)
        }
        request = next
        since = .now()
        if let body = next.body {
            context.write(wrapOutboundOut(next.head), promise: nil)
            context.writeAndFlush(wrapOutboundOut(body), promise: nil)
        } else {
            context.writeAndFlush(wrapOutboundOut(next.head), promise: nil)
        }
    }
}
