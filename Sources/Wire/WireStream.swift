import DequeModule
import NIOCore
import Synchronization

/// One call, at either end. Its mutable state belongs to the connection's loop; ``ServerCall`` and
/// ``ClientStream`` are its faces for any thread.
///
/// `@unchecked Sendable`: everything but the atomics is touched on `inbox.eventLoop` only.
final class WireStream: @unchecked Sendable {
    /// Where events go.
    enum Receiver {
        /// Nobody yet: events are kept, bounded by the window.
        case none
        /// A unary call of this side: the reply's message, or why there is none.
        case unary(@Sendable (Result<ByteBuffer, WireError>) -> Void)
        case events(@Sendable (StreamEvent) -> Void)
        case mailbox(BodyMailbox)
        /// Nobody any more.
        case gone
    }

    let method: Method
    let deadline: NIODeadline
    let inbox: LoopInbox
    let queuedBytesHigh: Int

    /// Bytes that the writer has queued and the connection has not sent. Any thread.
    let queuedBytes = Atomic<Int>(0)
    /// Set once, on the loop. Any thread.
    let isOver = Atomic<Bool>(false)

    /// Set while the stream is on a connection.
    var connection: WireConnection?
    var id: UInt32 = 0
    /// Client: the request until it is sent. Server: bytes counted against the connection.
    var message: ByteBuffer

    // Sending.
    var sendQueue = Deque<ByteBuffer>()
    var sendWindow = 0
    var hasEndQueued = false
    var hasEndSent = false
    var isInRing = false
    /// The server has sent the reply's head; the client has sent its request.
    var isHeadSent = false
    var writableWaiters: [@Sendable () -> Void] = []

    // Receiving.
    var receiver: Receiver
    var kept = Deque<StreamEvent>()
    var receiveWindow = 0
    /// Delivered or kept, not consumed.
    var unconsumedBytes = 0
    /// Consumed, and not yet given back to the peer.
    var owedBytes = 0
    var hasReceivedEnd = false
    /// Client: the reply's head has come.
    var hasReply = false
    var cancelHandlers: [@Sendable () -> Void] = []
    /// Client: undoes what was set up while there was no connection.
    var onConnect: (() -> Void)?
    /// Client: the link that counts it.
    var load: PeerLink?
    /// Why it ended, unless it ended well.
    var failure: WireError?

    init(
        method: Method, message: ByteBuffer, deadline: NIODeadline, inbox: LoopInbox,
        receiver: Receiver, queuedBytesHigh: Int
    ) {
        self.method = method
        self.message = message
        self.deadline = deadline
        self.inbox = inbox
        self.receiver = receiver
        self.queuedBytesHigh = queuedBytesHigh
    }

    // MARK: Any thread

    /// Queues bytes and the end after the bytes queued before.
    ///
    /// - Returns: `false` when the queue is above its mark.
    func enqueue(_ bytes: ByteBuffer, end: Bool) -> Bool {
        let (_, total) = queuedBytes.add(bytes.readableBytes, ordering: .relaxed)
        inbox.perform { self.queue(bytes, end: end) }
        return total < queuedBytesHigh
    }

    /// Queues bytes and waits until the queue is below its mark.
    func write(_ bytes: ByteBuffer) async throws(WireError) {
        if enqueue(bytes, end: false), !isOver.load(ordering: .acquiring) { return }
        let (isOver, failure) = await withCheckedContinuation { continuation in
            whenWritable {
                continuation.resume(
                    returning: (self.isOver.load(ordering: .relaxed), self.failure))
            }
        }
        if let failure { throw failure }
        // Answered before all was sent: nobody wants the rest.
        if isOver { throw .cancelled(mayHaveRun: true) }
    }

    /// Calls `body` on the loop once the queue is below its mark, or the stream is over.
    func whenWritable(_ body: @escaping @Sendable () -> Void) {
        inbox.perform {
            if self.isOver.load(ordering: .relaxed) || self.isBelowMark {
                body()
            } else {
                self.writableWaiters.append(body)
            }
        }
    }

    func consumed(_ bytes: Int) {
        inbox.perform { self.connection?.consumed(bytes, of: self) }
    }

    // MARK: On the loop

    private var isBelowMark: Bool { queuedBytes.load(ordering: .relaxed) < queuedBytesHigh }

    private func queue(_ bytes: ByteBuffer, end: Bool) {
        if isOver.load(ordering: .relaxed) || hasEndQueued {
            queuedBytes.subtract(bytes.readableBytes, ordering: .relaxed)
            return
        }
        if bytes.readableBytes > 0 { sendQueue.append(bytes) }
        hasEndQueued = end
        guard queuedBytes.load(ordering: .relaxed) <= WireLimits.queuedBytesMax else {
            connection?.abort(self, .overloaded)
            return
        }
        connection?.mayHaveToSend(self)
    }

    /// The next piece to send, at most `count` bytes.
    func dequeue(upTo count: Int) -> ByteBuffer {
        guard var head = sendQueue.popFirst() else { return ByteBuffer() }
        guard head.readableBytes > count, let piece = head.readSlice(length: count) else {
            return head
        }
        sendQueue.prepend(head)
        return piece
    }

    func sent(_ bytes: Int) {
        queuedBytes.subtract(bytes, ordering: .relaxed)
        if !writableWaiters.isEmpty, isBelowMark { wakeWriters() }
    }

    private func wakeWriters() {
        let waiters = writableWaiters
        writableWaiters = []
        for waiter in waiters { waiter() }
    }

    /// Hands an event to whoever receives, or keeps it.
    func deliver(_ event: StreamEvent) {
        switch receiver {
        case .none:
            kept.append(event)
        case .events(let receive):
            receive(event)
        case .mailbox(let mailbox):
            mailbox.put(event)
        case .gone:
            break
        case .unary(let done):
            switch event {
            case .reply(let message):
                receiver = .gone
                done(.success(message))
            case .failed(let error):
                receiver = .gone
                done(.failure(error))
            case .bytes, .end:
                break
            }
        }
    }

    /// From now on events go to `receiver`, first those kept.
    func attach(_ receiver: Receiver) {
        guard case .none = self.receiver else { return }
        self.receiver = receiver
        while let event = kept.popFirst() { deliver(event) }
        if isOver.load(ordering: .relaxed) { detach() }
    }

    /// The caller gives up: the server is told if it knows of the call.
    func cancel() {
        if let connection {
            connection.abort(self, .cancelled(mayHaveRun: true))
        } else {
            end(.cancelled(mayHaveRun: false))
        }
    }

    /// The last thing that happens to a stream. The connection has forgotten it.
    func end(_ failure: WireError?) {
        guard !isOver.load(ordering: .relaxed) else { return }
        self.failure = failure
        isOver.store(true, ordering: .releasing)
        connected()
        load?.activeCount.subtract(1, ordering: .relaxed)
        load = nil
        sendQueue.removeAll()
        let handlers = cancelHandlers
        cancelHandlers = []
        wakeWriters()
        if let failure {
            for handler in handlers { handler() }
            deliver(.failed(failure))
        } else if case .mailbox = receiver, !hasReceivedEnd {
            // The server answered before it had read all.
            deliver(.failed(.cancelled(mayHaveRun: true)))
        }
        connection = nil
        if case .none = receiver { return }
        detach()
    }

    /// The wait for a connection is over.
    func connected() {
        onConnect?()
        onConnect = nil
    }

    /// Lets go of the closures, and of what they hold.
    private func detach() { receiver = .gone }
}
