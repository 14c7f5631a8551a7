import Core

/// All that the shim knows, under one lock.
struct DiskState {
    struct Handle {
        /// As SQLite opened it, absolute; a later rename does not change it.
        let path: String
        let identity: FileIdentity
    }

    /// Every file that SQLite has open, and closed ones that have a name and unsynced changes.
    private(set) var files: [FileIdentity: TrackedFile] = [:]
    private var handles: [Int: Handle] = [:]
    /// Of write-ahead logs' shared memory, where a connection holds any.
    private var locks: [FileIdentity: SharedMemoryLocks] = [:]
    private var lastHandle = 0
    private var lastSequence = 0
    /// By directory.
    private(set) var faults: [String: DiskFaults] = [:]
    /// By directory.
    private var observers: [String: @Sendable (DiskChange) -> Void] = [:]
    /// By path.
    private var counters: [String: DiskCounters] = [:]
    /// Where SQLite's own random numbers come from; `nil`: from the system.
    var random: SeededRandom?

    // MARK: Handles

    /// - Returns: The number of the handle, from 1; `nil` when the file cannot be held open.
    mutating func open(_ path: String) -> Int? {
        sweep()
        guard let (identity, opened) = TrackedFile.open(path) else { return nil }
        if files[identity] == nil { files[identity] = opened } else { opened.release() }
        files[identity]?.handleCount += 1
        lastHandle += 1
        handles[lastHandle] = Handle(path: path, identity: identity)
        return lastHandle
    }

    mutating func close(_ handle: Int) {
        guard let closed = handles.removeValue(forKey: handle) else { return }
        files[closed.identity]?.handleCount -= 1
        unlock(closed.identity, handle)
        sweep()
    }

    // MARK: Locks

    /// - Returns: A result code of SQLite; `nil` for a handle that is not tracked.
    mutating func lock(_ handle: Int, _ range: Range<Int>, flags: Int32) -> Int32? {
        guard let identity = handles[handle]?.identity else { return nil }
        return locks[identity, default: SharedMemoryLocks()]
            .change(range, flags: flags, by: handle)
    }

    private mutating func unlock(_ identity: FileIdentity, _ handle: Int) {
        locks[identity]?.release(handle)
        if locks[identity]?.isFree == true { locks[identity] = nil }
    }

    mutating func unlockAll(_ handle: Int) {
        if let identity = handles[handle]?.identity { unlock(identity, handle) }
    }

    /// Forgets files that are over. Few are closed and not over, so few are looked at closely.
    mutating func sweep() {
        for (identity, file) in files where file.isOver {
            files[identity] = nil
            file.release()
        }
    }

    // MARK: Changes

    func isTracked(_ handle: Int) -> Bool { handles[handle] != nil }

    mutating func wrote(_ handle: Int, at range: Range<Int>, oldSize: Int, oldBytes: [UInt8]) {
        lastSequence += 1
        append(
            .write(lastSequence, at: range, oldSize: oldSize, oldBytes: oldBytes), to: handle)
    }

    mutating func resized(_ handle: Int, to newSize: Int, oldSize: Int, oldBytes: [UInt8]) {
        lastSequence += 1
        append(
            .resize(lastSequence, to: newSize, oldSize: oldSize, oldBytes: oldBytes), to: handle)
    }

    private mutating func append(_ change: FileChange, to handle: Int) {
        guard let identity = handles[handle]?.identity else { return }
        files[identity]?.append(change)
    }

    mutating func synced(_ identity: FileIdentity) { files[identity]?.synced() }

    mutating func synced(_ handle: Int) {
        guard let identity = handles[handle]?.identity else { return }
        files[identity]?.synced()
    }

    // MARK: Faults

    mutating func setFaults(_ new: DiskFaults?, under directory: String) {
        faults[directory] = new
    }

    func failsReads(_ handle: Int) -> Bool {
        faults.contains { $0.value.failsReads && isHandle(handle, below: $0.key) }
    }

    func failsSyncs(_ handle: Int) -> Bool {
        faults.contains { $0.value.failsSyncs && isHandle(handle, below: $0.key) }
    }

    /// - Returns: How many of `count` bytes may be written; they are taken off what is left.
    mutating func takeRoom(for count: Int, by handle: Int) -> Int {
        if faults.isEmpty { return count }
        let full = faults.filter { $0.value.bytesLeft != nil && isHandle(handle, below: $0.key) }
        let room = full.values.reduce(count) { min($0, $1.bytesLeft ?? $0) }
        for (directory, fault) in full {
            faults[directory]?.bytesLeft = fault.bytesLeft.map { $0 - room }
        }
        return room
    }

    private func isHandle(_ handle: Int, below directory: String) -> Bool {
        guard let path = handles[handle]?.path else { return false }
        return Self.isPath(path, below: directory)
    }

    static func isPath(_ path: String, below directory: String) -> Bool {
        directory == "/" || path == directory || path.hasPrefix(directory + "/")
    }

    // MARK: Observers

    mutating func setObserver(
        _ new: (@Sendable (DiskChange) -> Void)?, under directory: String
    ) {
        observers[directory] = new
    }

    func observers(of path: String) -> [@Sendable (DiskChange) -> Void] {
        observers.filter { Self.isPath(path, below: $0.key) }.map(\.value)
    }

    func path(of handle: Int) -> String? { handles[handle]?.path }

    // MARK: Counters

    mutating func count(_ handle: Int, _ more: DiskCounters) {
        guard let path = handles[handle]?.path else { return }
        counters[path, default: DiskCounters()] += more
    }

    func counters(under directory: String) -> DiskCounters {
        var sum = DiskCounters()
        for (path, one) in counters where Self.isPath(path, below: directory) { sum += one }
        return sum
    }

    mutating func resetCounters(under directory: String) {
        counters = counters.filter { !Self.isPath($0.key, below: directory) }
    }
}
