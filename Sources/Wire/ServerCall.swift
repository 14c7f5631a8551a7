import Core
import NIOCore
import SwiftProtobuf
import Synchronization

/// One call that a peer makes. All methods may be called from any thread; what they cause happens
/// on the connection's loop, in the order called from one thread. Exactly one of `reply`, `fail`
/// or `startReply` … `finish` answers it; later answers are ignored.
package final class ServerCall: Sendable {
    package let peer: PeerIdentity
    package let method: Method
    /// The request's message, a slice of what was read from the socket.
    package let message: ByteBuffer
    package let deadline: NIODeadline
    package var eventLoop: any EventLoop { stream.inbox.eventLoop }
    private let stream: WireStream
    private let mailbox: Mutex<BodyMailbox?> = Mutex(nil)

    init(stream: WireStream, peer: PeerIdentity) {
        self.stream = stream
        self.peer = peer
        self.method = stream.method
        self.message = stream.message
        self.deadline = stream.deadline
    }

    /// The message as `type`, or a `badRequest` to answer with.
    package func decode<M: SwiftProtobuf.Message>(
        _ type: M.Type = M.self
    ) throws(WireFailure) -> M {
        guard let message = message.decoded(as: type) else {
            throw WireFailure(.badRequest, "the message of \(method) is malformed")
        }
        return message
    }

    // MARK: The answer

    /// The whole answer.
    package func reply(_ message: ByteBuffer) {
        stream.inbox.perform { [stream] in
            stream.connection?.reply(stream, message, isEnd: true)
        }
    }

    package func reply(_ message: some SwiftProtobuf.Message) {
        reply(ByteBuffer(message: message))
    }

    package func fail(_ failure: WireFailure) {
        stream.inbox.perform { [stream] in
            stream.connection?.fail(stream, failure)
        }
    }

    /// Called once, on the loop, when the caller cancelled, the deadline passed or the connection
    /// broke before the answer was complete; at once if that has happened.
    package func onCancel(_ body: @escaping @Sendable () -> Void) {
        stream.inbox.perform { [stream] in
            if stream.failure != nil {
                body()
            } else if !stream.isOver.load(ordering: .relaxed) {
                stream.cancelHandlers.append(body)
            }
        }
    }

    /// Whether nobody waits for an answer any more.
    package var isOver: Bool { stream.isOver.load(ordering: .acquiring) }

    // MARK: Request body

    /// Delivers the request's body on the loop: the events of ``BodyEvent`` in order. Call
    /// ``consumed(_:)`` for bytes done with, which lets the peer send more. To be called at most
    /// once: until then at most a window of bytes is kept.
    package func readBody(_ receive: @escaping @Sendable (BodyEvent) -> Void) {
        stream.inbox.perform { [stream] in
            stream.attach(
                .events { event in
                    switch event {
                    case .bytes(let bytes): receive(.bytes(bytes))
                    case .end: receive(.end)
                    case .failed(let error): receive(.failed(error))
                    case .reply: break
                    }
                })
        }
    }

    package func consumed(_ bytes: Int) { stream.consumed(bytes) }

    /// The async form of ``readBody(_:)``: the next bytes, `nil` at the end. One reader.
    package func nextBody() async throws(WireError) -> ByteBuffer? {
        let mailbox = mailbox.withLock { mailbox -> BodyMailbox in
            if let mailbox { return mailbox }
            let made = BodyMailbox(stream)
            mailbox = made
            return made
        }
        mailbox.start()
        return try await mailbox.next()
    }

    // MARK: Streaming reply

    /// Sends the reply's message; raw bytes follow by ``send(_:)``, then ``finish()``.
    package func startReply(_ message: ByteBuffer) {
        stream.inbox.perform { [stream] in
            stream.connection?.reply(stream, message, isEnd: false)
        }
    }

    package func startReply(_ message: some SwiftProtobuf.Message) {
        startReply(ByteBuffer(message: message))
    }

    /// Sends raw bytes, waiting while ``WireLimits/queuedBytesHigh`` are queued.
    package func send(_ bytes: ByteBuffer) async throws(WireError) {
        try await stream.write(bytes)
    }

    /// Queues raw bytes without waiting.
    /// - Returns: `false` when the queue is above its mark: stop until ``onWritable(_:)`` calls.
    @discardableResult package func enqueue(_ bytes: ByteBuffer, end: Bool = false) -> Bool {
        stream.enqueue(bytes, end: end)
    }

    /// Calls `body` once, on the loop, when the queue is below its mark (or the call is over).
    package func onWritable(_ body: @escaping @Sendable () -> Void) { stream.whenWritable(body) }

    package func finish() { _ = stream.enqueue(ByteBuffer(), end: true) }
}

/// What happens to the body of a request.
package enum BodyEvent: Sendable {
    case bytes(ByteBuffer)
    case end
    /// Nothing follows; the call is over.
    case failed(WireError)
}
