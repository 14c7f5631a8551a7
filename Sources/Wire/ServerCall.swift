import Core
import NIOCore
import SwiftProtobuf

/// One call that a peer makes. All methods may be called from any thread; what they cause happens
/// on the connection's loop, in the order called from one thread. Exactly one of `reply`, `fail`
/// or `startReply` … `finish` answers it; later answers are ignored.
package final class ServerCall: Sendable {
    package let peer: PeerIdentity
    package let method: Method
    /// The request's message, a slice of what was read from the socket.
    package let message: ByteBuffer
    package let deadline: NIODeadline
    package let eventLoop: any EventLoop

    init(
        peer: PeerIdentity, method: Method, message: ByteBuffer, deadline: NIODeadline,
        eventLoop: any EventLoop
    ) {
        self.peer = peer
        self.method = method
        self.message = message
        self.deadline = deadline
        self.eventLoop = eventLoop
    }

    /// The message as `type`, or a `badRequest` to answer with.
    package func decode<M: SwiftProtobuf.Message>(_ type: M.Type = M.self) throws(WireFailure) -> M
    {
        preconditionFailure("not built yet")
    }

    /// The whole answer.
    package func reply(_ message: ByteBuffer) {}
    package func reply(_ message: some SwiftProtobuf.Message) {}
    package func fail(_ failure: WireFailure) {}

    /// Called once, on the loop, when the caller cancelled, the deadline passed or the connection
    /// broke before the answer was complete; at once if that has happened.
    package func onCancel(_ body: @escaping @Sendable () -> Void) {}
    package var isCancelled: Bool { false }

    // MARK: Request body

    /// Delivers the request's body on the loop: the events of ``BodyEvent`` in order. Call
    /// ``consumed(_:)`` for bytes done with, which lets the peer send more. To be called at most
    /// once, and within `receive` or soon after: until then at most a window of bytes is kept.
    package func readBody(_ receive: @escaping @Sendable (BodyEvent) -> Void) {}
    package func consumed(_ bytes: Int) {}
    /// The async form of ``readBody(_:)``: the next bytes, `nil` at the end. One reader.
    package func nextBody() async throws(WireError) -> ByteBuffer? { nil }

    // MARK: Streaming reply

    /// Sends the reply's message; raw bytes follow by ``send(_:)``, then ``finish()``.
    package func startReply(_ message: ByteBuffer) {}
    package func startReply(_ message: some SwiftProtobuf.Message) {}
    /// Sends raw bytes, waiting while ``WireLimits/queuedBytesHigh`` are queued.
    package func send(_ bytes: ByteBuffer) async throws(WireError) {}
    /// Queues raw bytes without waiting.
    /// - Returns: `false` when the queue is above its mark: stop until ``onWritable(_:)`` calls.
    @discardableResult package func enqueue(_ bytes: ByteBuffer) -> Bool { true }
    /// Calls `body` once, on the loop, when the queue is below its mark (or the call is over).
    package func onWritable(_ body: @escaping @Sendable () -> Void) {}
    package func finish() {}

    /// Runs `body` in a task, cancelled with the call, and replies what it returns or fails with
    /// what it throws (a ``WireFailure`` as it is, anything else as `internalError`). At most
    /// ``WireLimits/tasksMax`` such tasks run in the process; above, the call fails `overloaded`.
    package func respond<Reply: SwiftProtobuf.Message>(
        _ body: @escaping @Sendable (ServerCall) async throws -> Reply
    ) {}
    /// The same without a unary reply: `body` answers by `startReply` … `finish` itself.
    package func run(_ body: @escaping @Sendable (ServerCall) async throws -> Void) {}
}

/// What happens to the body of a request or reply.
package enum BodyEvent: Sendable {
    case bytes(ByteBuffer)
    case end
    /// Nothing follows; the call is over.
    case failed(WireError)
}
