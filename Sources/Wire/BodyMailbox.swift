import DequeModule
import NIOCore
import Synchronization

/// Between the loop that receives and one task that reads: what has come is taken without a hop.
/// Holds at most a window of bytes.
final class BodyMailbox: Sendable {
    private struct State {
        var isStarted = false
        var reply: ByteBuffer?
        var bytes = Deque<ByteBuffer>()
        var end: WireError??
        var waiter: CheckedContinuation<Void, Never>?
        /// Handed out and not yet given back.
        var taken = 0
        var isCancelled = false
    }

    /// Bytes handed out before the loop is told.
    private static let giveBackBytes = 64 << 10

    private let stream: WireStream
    private let state = Mutex(State())

    init(_ stream: WireStream) { self.stream = stream }

    /// Begins to take the stream's events; once.
    func start() {
        let isFirst = state.withLock { state in
            defer { state.isStarted = true }
            return !state.isStarted
        }
        guard isFirst else { return }
        stream.inbox.perform { self.stream.attach(.mailbox(self)) }
    }

    func put(_ event: StreamEvent) {
        let waiter = state.withLock { state in
            switch event {
            case .reply(let message): state.reply = message
            case .bytes(let bytes): state.bytes.append(bytes)
            case .end: if state.end == nil { state.end = .some(nil) }
            case .failed(let error): if state.end == nil { state.end = .some(error) }
            }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// The next bytes; `nil` at the end. What was returned before counts as consumed.
    func next() async throws(WireError) -> ByteBuffer? {
        while true {
            let (result, consumed) = state.withLock { state in
                let result: Result<ByteBuffer?, WireError>?
                if let bytes = state.bytes.popFirst() {
                    result = .success(bytes)
                } else if let end = state.end {
                    result = end.map { .failure($0) } ?? .success(nil)
                } else if state.isCancelled {
                    result = .failure(.cancelled(mayHaveRun: true))
                } else {
                    result = nil
                }
                var consumed = 0
                if result == nil || state.taken >= Self.giveBackBytes {
                    consumed = state.taken
                    state.taken = 0
                }
                if case .success(let bytes?) = result { state.taken += bytes.readableBytes }
                return (result, consumed)
            }
            if consumed > 0 { stream.consumed(consumed) }
            if let result { return try result.get() }
            await wait { $0.bytes.isEmpty && $0.end == nil && !$0.isCancelled }
        }
    }

    /// The reply's message.
    func reply() async throws(WireError) -> ByteBuffer {
        while true {
            let result = state.withLock { state -> Result<ByteBuffer, WireError>? in
                if let reply = state.reply { return .success(reply) }
                if let end = state.end {
                    return .failure(end ?? .malformedReply("the stream ended without a reply"))
                }
                return state.isCancelled ? .failure(.cancelled(mayHaveRun: true)) : nil
            }
            if let result { return try result.get() }
            await wait { $0.reply == nil && $0.end == nil && !$0.isCancelled }
        }
    }

    private func wait(while mustWait: @Sendable (borrowing State) -> Bool) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    guard mustWait(state) else { return true }
                    precondition(state.waiter == nil, "one reader at a time")
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.isCancelled = true
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume()
        }
    }
}
