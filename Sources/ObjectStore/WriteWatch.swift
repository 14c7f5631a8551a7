import Core
import Synchronization

/// Looks at every chunk being written a few times a second, so that no write needs a timer of its
/// own.
final class WriteWatch: Sendable {
    // At most two chunks a stream: bounded by the memory budget.
    private let watched = Mutex<[ObjectIdentifier: ChunkFanOut]>([:])

    func add(_ fanOut: ChunkFanOut) {
        watched.withLock { $0[ObjectIdentifier(fanOut)] = fanOut }
    }

    func remove(_ fanOut: ChunkFanOut) {
        watched.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(fanOut)) }
    }

    var count: Int { watched.withLock { $0.count } }

    func tick(now: MonotonicTime) {
        for fanOut in watched.withLock({ Array($0.values) }) { fanOut.tick(now: now) }
    }
}
