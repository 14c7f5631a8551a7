import Messages
import NIOCore
import ObjectStore
import Synchronization
import Wire

/// Gathers the blocks of one ``ChunkDoor/fetch(_:from:onDone:)``.
final class Fetch: ChunkFetch {
    private struct State {
        var onDone: (@Sendable (ChunkFetchReply) -> Void)?
        var pieces: [ByteBuffer] = []
        var hasHead = false
        var stream: ClientStream?
        var isCancelled = false
        /// Bytes that came before the stream was attached.
        var unconsumed = 0
    }

    private let state: Mutex<State>

    init(_ onDone: @escaping @Sendable (ChunkFetchReply) -> Void) {
        state = Mutex(State(onDone: onDone))
    }

    /// Events may come before this: opening and attaching are two steps.
    func attach(_ stream: ClientStream) {
        let (isCancelled, unconsumed) = state.withLock { state in
            state.stream = state.onDone == nil ? nil : stream
            return (state.isCancelled, state.unconsumed)
        }
        if unconsumed > 0 { stream.consumed(unconsumed) }
        if isCancelled { stream.cancel() }
    }

    func cancel() {
        let stream = state.withLock { state in
            state.isCancelled = true
            return state.stream
        }
        stream?.cancel()
    }

    func take(_ event: StreamEvent) {
        switch event {
        case .reply(let bytes): head(bytes)
        case .bytes(let bytes): piece(bytes)
        case .end:
            let hasHead = state.withLock { $0.hasHead }
            finish(hasHead ? nil : .unreachable("the node ended the call without an answer"))
        case .failed(let error): finish(.unreachable("\(error)"))
        }
    }

    private func head(_ bytes: ByteBuffer) {
        guard let reply = bytes.decoded(as: ProtoReadChunkReply.self)
        else { return finish(.unreachable("the node's answer could not be read")) }
        switch reply.status {
        case .done: state.withLock { $0.hasHead = true }
        case .notFound, .deleted: finish(.notFound)
        case .corrupt: finish(.corrupt)
        default: finish(.unreachable("\(reply.status): \(reply.detail)"))
        }
    }

    private func piece(_ bytes: ByteBuffer) {
        let stream: ClientStream? = state.withLock { state in
            guard state.onDone != nil else { return state.stream }
            state.pieces.append(bytes)
            if state.stream == nil { state.unconsumed += bytes.readableBytes }
            return state.stream
        }
        // What is asked for fits the memory that the operation reserved: take it all.
        stream?.consumed(bytes.readableBytes)
    }

    private func finish(_ failure: ChunkFetchFailure?) {
        let (onDone, pieces) = state.withLock { state in
            defer {
                state.pieces = []
                state.stream = nil
            }
            return (state.onDone.take(), state.pieces)
        }
        onDone?(ChunkFetchReply(pieces: pieces, failure: failure))
    }
}
