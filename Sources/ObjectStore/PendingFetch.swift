import Core
import NIOCore
import Synchronization

/// One fetch from one node, started before it is waited for. Its answer can be taken once.
final class PendingFetch: Sendable {
    private enum State {
        case running
        case awaited(CheckedContinuation<ChunkFetchReply, Never>)
        case done(ChunkFetchReply)
        case taken
    }
    private let state = Mutex<(State, (any ChunkFetch)?)>((.running, nil))
    let node: NodeID
    let blocks: Range<Int>

    init(_ request: ChunkFetchRequest, from node: NodeID, door: any ChunkDoor) {
        self.node = node
        self.blocks = request.blocks
        let fetch = door.fetch(request, from: node) { [self] reply in finished(reply) }
        state.withLock { $0.1 = fetch }
    }

    private func finished(_ reply: ChunkFetchReply) {
        let waiter = state.withLock { state -> CheckedContinuation<ChunkFetchReply, Never>? in
            state.1 = nil
            switch state.0 {
            case .running:
                state.0 = .done(reply)
                return nil
            case .awaited(let waiter):
                state.0 = .taken
                return waiter
            case .done, .taken: return nil
            }
        }
        waiter?.resume(returning: reply)
    }

    /// - Returns: `nil` if it was taken before.
    func take() async -> ChunkFetchReply? {
        let early = state.withLock { state -> ChunkFetchReply?? in
            switch state.0 {
            case .running: return .none
            case .done(let reply):
                state.0 = .taken
                return .some(reply)
            case .awaited, .taken: return .some(nil)
            }
        }
        if let early { return early }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let reply = state.withLock { state -> ChunkFetchReply? in
                    if case .done(let reply) = state.0 {
                        state.0 = .taken
                        return reply
                    }
                    state.0 = .awaited(continuation)
                    return nil
                }
                if let reply { continuation.resume(returning: reply) }
            }
        } onCancel: {
            cancel()
        }
    }

    /// The door calls back nevertheless.
    func cancel() { state.withLock { $0.1 }?.cancel() }
}
