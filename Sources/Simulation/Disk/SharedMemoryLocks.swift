import GRDBSQLite

/// Locks of the memory that the connections to one write-ahead log share, among the connections of
/// this process: the files of a simulation are nobody else's, and asking the kernel for each lock
/// is a good part of what reading costs.
///
/// See "xShmLock" in SQLite's documentation of VFS methods: slots are held by many connections
/// shared or by one alone.
struct SharedMemoryLocks {
    private struct Slot {
        var shared: Set<Int> = []
        var exclusive: Int?

        var isFree: Bool { shared.isEmpty && exclusive == nil }
    }

    private var slots = [Slot](repeating: Slot(), count: Int(SQLITE_SHM_NLOCK))

    var isFree: Bool { slots.allSatisfy(\.isFree) }

    /// - Parameter handle: The connection.
    /// - Returns: A result code of SQLite.
    mutating func change(_ range: Range<Int>, flags: Int32, by handle: Int) -> Int32 {
        guard slots.indices.contains(range.lowerBound), range.upperBound <= slots.count else {
            return SQLITE_MISUSE
        }
        if flags & SQLITE_SHM_UNLOCK != 0 {
            for number in range { release(number, handle) }
            return SQLITE_OK
        }
        let isShared = flags & SQLITE_SHM_SHARED != 0
        let isFree = slots[range].allSatisfy { slot in
            (slot.exclusive == nil || slot.exclusive == handle)
                && (isShared || slot.shared.subtracting([handle]).isEmpty)
        }
        guard isFree else { return SQLITE_BUSY }
        for number in range {
            if isShared {
                slots[number].shared.insert(handle)
            } else {
                slots[number].exclusive = handle
            }
        }
        return SQLITE_OK
    }

    /// All that a connection holds, when it closes.
    mutating func release(_ handle: Int) { for number in slots.indices { release(number, handle) } }

    private mutating func release(_ number: Int, _ handle: Int) {
        slots[number].shared.remove(handle)
        if slots[number].exclusive == handle { slots[number].exclusive = nil }
    }
}
