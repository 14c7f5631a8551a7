import Synchronization

/// Bytes that all operations together may hold. What is over it is refused, never queued.
final class MemoryBudget: Sendable {
    private let used = Mutex(0)
    private let bytesMax: Int

    init(bytesMax: Int) {
        precondition(bytesMax > 0)
        self.bytesMax = bytesMax
    }

    var usedBytes: Int { used.withLock { $0 } }

    /// More than half is in use: new readers take smaller steps.
    var isScarce: Bool { usedBytes > bytesMax / 2 }

    func reserve(_ bytes: Int) throws(ObjectStoreError) -> Reservation {
        let isGranted = used.withLock { used in
            guard used + bytes <= bytesMax else { return false }
            used += bytes
            return true
        }
        guard isGranted else { throw .slowDown("all memory for streams is in use") }
        return Reservation(budget: self, bytes: bytes)
    }

    /// Gives its bytes back when it goes.
    final class Reservation: Sendable {
        private let budget: MemoryBudget
        let bytes: Int
        init(budget: MemoryBudget, bytes: Int) {
            self.budget = budget
            self.bytes = bytes
        }
        deinit {
            budget.used.withLock { $0 -= bytes }
        }
    }
}
