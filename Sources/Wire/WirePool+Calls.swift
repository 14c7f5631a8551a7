import Core
import NIOCore
import SwiftProtobuf

extension WirePool {
    // MARK: Unary calls

    package func call(
        _ method: Method, to node: NodeID, _ message: ByteBuffer, deadline: NIODeadline
    ) async throws(WireError) -> ByteBuffer {
        try await call(method, .node(node), message, deadline: deadline).reply
    }

    package func call<Reply: SwiftProtobuf.Message>(
        _ method: Method, to node: NodeID, _ message: some SwiftProtobuf.Message,
        deadline: NIODeadline, as reply: Reply.Type = Reply.self
    ) async throws(WireError) -> Reply {
        let answer = try await call(
            method, .node(node), ByteBuffer(message: message), deadline: deadline)
        return try Self.decode(answer.reply)
    }

    /// The callback form; `done` is called exactly once, on a loop.
    package func call(
        _ method: Method, to node: NodeID, _ message: ByteBuffer, deadline: NIODeadline,
        done: @escaping @Sendable (Result<ByteBuffer, WireError>) -> Void
    ) {
        let (stream, link) = prepare(
            method, .node(node), message, deadline: deadline, isUnary: true)
        link.open(stream, .unary(done))
    }

    /// Calls whoever is at `address` (`host:port`): before ids are known.
    package func call<Reply: SwiftProtobuf.Message>(
        _ method: Method, address: String, _ message: some SwiftProtobuf.Message,
        deadline: NIODeadline, as reply: Reply.Type = Reply.self
    ) async throws(WireError) -> (peer: PeerIdentity, reply: Reply) {
        let answer = try await call(
            method, .address(address), ByteBuffer(message: message), deadline: deadline)
        guard let peer = answer.peer else { throw .malformedReply("from nobody") }
        return (peer, try Self.decode(answer.reply))
    }

    private static func decode<Reply: SwiftProtobuf.Message>(
        _ bytes: ByteBuffer
    ) throws(WireError) -> Reply {
        guard let reply = bytes.decoded(as: Reply.self) else {
            throw .malformedReply("no \(Reply.self)")
        }
        return reply
    }

    private func call(
        _ method: Method, _ target: PeerLink.Target, _ message: ByteBuffer, deadline: NIODeadline
    ) async throws(WireError) -> (peer: PeerIdentity?, reply: ByteBuffer) {
        typealias Answer = Result<(PeerIdentity?, ByteBuffer), WireError>
        let (stream, link) = prepare(method, target, message, deadline: deadline, isUnary: true)
        let answer: Answer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                link.open(
                    stream,
                    .unary { result in
                        let peer = stream.connection?.peer
                        continuation.resume(returning: result.map { (peer, $0) })
                    })
            }
        } onCancel: {
            stream.inbox.perform { stream.cancel() }
        }
        return try answer.get()
    }

    // MARK: Streams

    /// Opens a stream: `message`, then raw bytes both ways. Errors come by the stream.
    package func open(
        _ method: Method, to node: NodeID, _ message: ByteBuffer, deadline: NIODeadline
    ) -> ClientStream {
        let (stream, link) = prepare(
            method, .node(node), message, deadline: deadline, isUnary: false)
        let mailbox = BodyMailbox(stream)
        link.open(stream, .mailbox(mailbox))
        return ClientStream(stream, mailbox: mailbox)
    }

    package func open(
        _ method: Method, to node: NodeID, _ message: some SwiftProtobuf.Message,
        deadline: NIODeadline
    ) -> ClientStream {
        open(method, to: node, ByteBuffer(message: message), deadline: deadline)
    }

    /// The same for a request without a body: one frame.
    package func read(
        _ method: Method, to node: NodeID, _ message: some SwiftProtobuf.Message,
        deadline: NIODeadline
    ) -> ClientStream {
        let (stream, link) = prepare(
            method, .node(node), ByteBuffer(message: message), deadline: deadline, isUnary: true)
        let mailbox = BodyMailbox(stream)
        link.open(stream, .mailbox(mailbox))
        return ClientStream(stream, mailbox: mailbox)
    }

    /// The callback form: no task, no continuation. Events come on the connection's loop.
    package func open(
        _ method: Method, to node: NodeID, _ message: ByteBuffer, deadline: NIODeadline,
        onEvent: @escaping @Sendable (StreamEvent) -> Void
    ) -> ClientStream {
        let (stream, link) = prepare(
            method, .node(node), message, deadline: deadline, isUnary: false)
        link.open(stream, .events(onEvent))
        return ClientStream(stream, mailbox: nil)
    }

    /// The callback form for a request without a body: one frame.
    package func read(
        _ method: Method, to node: NodeID, _ message: ByteBuffer, deadline: NIODeadline,
        onEvent: @escaping @Sendable (StreamEvent) -> Void
    ) -> ClientStream {
        let (stream, link) = prepare(
            method, .node(node), message, deadline: deadline, isUnary: true)
        link.open(stream, .events(onEvent))
        return ClientStream(stream, mailbox: nil)
    }
}
