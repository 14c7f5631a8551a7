import NIOCore
import SwiftProtobuf

/// What happens on a client's stream; ends with exactly one `end` or `failed`.
package enum StreamEvent: Sendable, Equatable {
    /// The reply's message.
    case reply(ByteBuffer)
    /// Raw bytes after it. Call ``ClientStream/consumed(_:)`` when done with them.
    case bytes(ByteBuffer)
    /// The answer is complete.
    case end
    case failed(WireError)
}

/// One open call with raw bytes both ways. Any thread; one writer, one reader.
package final class ClientStream: Sendable {
    private let stream: WireStream
    /// `nil` for streams opened with `onEvent`.
    private let mailbox: BodyMailbox?

    init(_ stream: WireStream, mailbox: BodyMailbox?) {
        self.stream = stream
        self.mailbox = mailbox
    }

    /// Nobody can read the answer any more.
    deinit { if mailbox != nil, !stream.isOver.load(ordering: .acquiring) { cancel() } }

    package var eventLoop: any EventLoop { stream.inbox.eventLoop }

    // MARK: Request body

    /// Sends raw bytes, waiting while ``WireLimits/queuedBytesHigh`` are queued.
    package func write(_ bytes: ByteBuffer) async throws(WireError) {
        try await stream.write(bytes)
    }

    /// Queues raw bytes without waiting.
    /// - Returns: `false` when the queue is above its mark: stop until ``onWritable(_:)`` calls.
    @discardableResult package func enqueue(_ bytes: ByteBuffer, end: Bool = false) -> Bool {
        stream.enqueue(bytes, end: end)
    }

    /// Calls `body` once, on the loop, when the queue is below its mark (or the stream is over).
    package func onWritable(_ body: @escaping @Sendable () -> Void) { stream.whenWritable(body) }

    /// The request's body is complete.
    package func finish() { _ = stream.enqueue(ByteBuffer(), end: true) }

    /// Ends the call; the server is told. No effect once it is over.
    package func cancel() {
        stream.inbox.perform { [stream] in stream.cancel() }
    }

    // MARK: Reply (not for streams opened with `onEvent`)

    /// The reply's message. For a unary answer to a streamed request, this is all.
    package func reply() async throws(WireError) -> ByteBuffer { try await reader.reply() }

    package func reply<Reply: SwiftProtobuf.Message>(
        as type: Reply.Type
    ) async throws(WireError) -> Reply {
        let bytes = try await reply()
        guard let reply = bytes.decoded(as: type) else {
            throw .malformedReply("no \(type)")
        }
        return reply
    }

    /// The next raw bytes, `nil` at the end. Opens the window by what it returned before.
    package func next() async throws(WireError) -> ByteBuffer? { try await reader.next() }

    /// With `onEvent`: these bytes are done with; the peer may send more.
    package func consumed(_ bytes: Int) { stream.consumed(bytes) }

    private var reader: BodyMailbox {
        guard let mailbox else {
            preconditionFailure("a stream opened with onEvent tells its events there")
        }
        return mailbox
    }
}
