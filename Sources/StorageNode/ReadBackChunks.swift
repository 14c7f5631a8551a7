import Core
import Synchronization

/// Chunks of moving partitions that are known to be whole here, for a pull wrote them or read them
/// back lately: a round of a move that has to be done again reads only what is not among them.
///
/// Two generations; the older is forgotten when the younger is full or old. Nothing depends on what
/// is remembered but how much is read.
final class ReadBackChunks: Sendable {
    private struct State {
        var young: Set<ChunkID> = []
        var old: Set<ChunkID> = []
        var since: MonotonicTime
    }

    private let clocks: any Clocks
    private let state: Mutex<State>

    init(clocks: any Clocks) {
        self.clocks = clocks
        state = Mutex(State(since: clocks.monotonic))
    }

    func insert(_ chunk: ChunkID) {
        state.withLock { state in
            turn(&state)
            state.young.insert(chunk)
        }
    }

    func remove(_ chunk: ChunkID) {
        state.withLock { state in
            state.young.remove(chunk)
            state.old.remove(chunk)
        }
    }

    /// - Returns: Whether it was found whole within twice
    ///   ``StorageNodeLimits/readBackMilliseconds``.
    func contains(_ chunk: ChunkID) -> Bool {
        state.withLock { state in
            turn(&state)
            return state.young.contains(chunk) || state.old.contains(chunk)
        }
    }

    private func turn(_ state: inout State) {
        let now = clocks.monotonic
        let age = now.milliseconds - state.since.milliseconds
        let isOld = age >= StorageNodeLimits.readBackMilliseconds
        guard isOld || state.young.count >= StorageNodeLimits.readBackCountMax else { return }
        // Nobody came for so long that the younger one is old too.
        let isVeryOld = age >= 2 * StorageNodeLimits.readBackMilliseconds
        state.old = isVeryOld ? [] : state.young
        state.young = []
        state.since = now
    }
}
