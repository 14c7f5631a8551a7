import Core
import GRDBSQLite
import Synchronization

/// SQLite's files as a disk sees them: real files, of which it is known what was synced, so that a
/// power cut can lose the rest, and whose reads, writes and syncs can be made to fail.
///
/// ```
/// SQLite ──▶ shim ──▶ the platform's VFS ──▶ a directory (best in memory)
///             │ changes since the last sync, by inode
///             ▼
///     powerCut(from: a, to: b)    b is what a reboot would find of a
/// ```
///
/// One for the process, as SQLite's VFS is. Directories keep simulated nodes apart; the nodes'
/// random numbers, however, SQLite draws from one generator. Thread safe.
///
/// Not simulated: names (new, renamed and removed files are durable at once), bytes that change by
/// themselves, and syncs that fail once and then pretend to have succeeded.
package enum SimulatedFiles {
    static let state = Mutex(DiskState())

    private static let installed: Void = {
        guard let below = sqlite3_vfs_find(nil) else { preconditionFailure("SQLite has no VFS") }
        let code = sqlite3_vfs_register(SimulatedVFS.make(over: below), 1)
        precondition(code == SQLITE_OK, "SQLite takes no VFS: \(code)")
    }()

    /// Makes the shim SQLite's default, for connections opened from now on; for good. Once is
    /// enough, more does no harm.
    package static func install() { _ = installed }

    /// Begins SQLite's random numbers anew (the salts in its logs, `random()`), so that the same
    /// calls from now on leave the same bytes, as long as nobody else in the process uses SQLite.
    package static func seed(_ seed: UInt64) {
        install()
        state.withLock { $0.random = SeededRandom(seed: seed) }
        // Not under our lock: SQLite draws from us under its own.
        sqlite3_randomness(0, nil)
    }

    // MARK: Power cuts

    /// The product synced the file by itself, past SQLite: its changes survive from now on. Without
    /// effect on files that SQLite did not write.
    package static func synced(path: String) {
        guard let identity = FileIdentity(path: path) else { return }
        state.withLock { $0.synced(identity) }
    }

    /// Makes `copy` what a reboot after a power cut finds of `directory`: of the SQLite files, each
    /// change that no sync covers is kept, lost or torn; everything else is as it is. The same
    /// state of `random` gives the same copy after the same history.
    ///
    /// `directory` stays as it is. Connections that the dead process has there may live on and do
    /// what they like.
    ///
    /// - Parameter copy: A directory that does not exist and does not lie in `directory`; its
    ///   parent exists.
    /// - Throws: Also when `copy` exists. A part of it may have been made.
    /// - Complexity: O(bytes of the files), less what are holes.
    package static func powerCut(
        from directory: String, to copy: String, using random: inout SeededRandom
    ) throws(PowerCutError) {
        var drawn = random
        try powerCut(from: directory, to: copy) { changes in
            PowerCutFates.draw(for: changes, using: &drawn)
        }
        random = drawn
    }

    /// The same with what becomes of each change: one of as many states as ``choices(under:)``
    /// says, from 0, lost, to the last, whole.
    package static func powerCut(
        from directory: String, to copy: String, variant: [Int]
    ) throws(PowerCutError) {
        try powerCut(from: directory, to: copy) { PowerCutFates.chosen(variant, for: $0) }
    }

    /// For each change that no sync covers, in the order in which they were made, in how many
    /// states a power cut may leave it: lost, torn in the middle unless it is small, whole.
    package static func choices(under directory: String) throws(PowerCutError) -> [Int] {
        try state.withLock { (state) throws(PowerCutError) in
            changes(of: try DirectoryTree(Paths.absolute(directory)), in: state)
                .map(PowerCutFates.choiceCount)
        }
    }

    private static func powerCut(
        from directory: String, to copy: String, fates: ([FileChange]) -> [Int: ChangeFate]
    ) throws(PowerCutError) {
        let source = Paths.absolute(directory)
        precondition(
            !DiskState.isPath(Paths.absolute(copy), below: source), "a copy within itself")
        // Nobody writes meanwhile, in any directory.
        try state.withLock { (state) throws(PowerCutError) in
            let tree = try DirectoryTree(source)
            let fates = fates(changes(of: tree, in: state))
            try tree.copy(to: copy) { (entry) throws(PowerCutError) in
                guard let file = state.files[entry.identity], !file.changes.isEmpty else {
                    return nil
                }
                return file.content(after: try tree.bytes(of: entry), fates: fates)
            }
        }
    }

    /// What a process that is killed leaves: everything it has written, synced or not.
    package static func copy(from directory: String, to copy: String) throws(PowerCutError) {
        try state.withLock { (_) throws(PowerCutError) in
            try DirectoryTree(Paths.absolute(directory)).copy(to: copy) { _ in nil }
        }
    }

    /// In the order in which they were made; a file with two names counts once.
    private static func changes(of tree: DirectoryTree, in state: DiskState) -> [FileChange] {
        let files = Set(tree.entries.filter { $0.kind == .file }.map(\.identity))
        return files.flatMap { state.files[$0]?.changes ?? [] }
            .sorted { $0.sequence < $1.sequence }
    }

    /// Changes that the next power cut may lose, of all files below `directory`.
    package static func unsyncedCount(under directory: String) throws(PowerCutError) -> Int {
        try state.withLock { (state) throws(PowerCutError) in
            changes(of: try DirectoryTree(Paths.absolute(directory)), in: state).count
        }
    }

    // MARK: Faults and counters

    /// Replaces the faults of all SQLite files that were or will be opened below `directory`, which
    /// add up with those of directories above and below it.
    package static func setFaults(_ faults: DiskFaults, under directory: String) {
        state.withLock { $0.setFaults(faults, under: Paths.absolute(directory)) }
    }

    /// - Returns: What was set for this very directory, less the bytes written since; `nil` when
    ///   nothing was.
    package static func faults(under directory: String) -> DiskFaults? {
        state.withLock { $0.faults[Paths.absolute(directory)] }
    }

    package static func liftFaults(under directory: String) {
        state.withLock { $0.setFaults(nil, under: Paths.absolute(directory)) }
    }

    /// Calls `observer` in front of each change that SQLite makes to files below `directory`, on
    /// its thread and without any lock of ours: so a test may cut the power at every single point.
    /// `nil` ends that.
    package static func observe(
        under directory: String, _ observer: (@Sendable (DiskChange) -> Void)?
    ) {
        state.withLock { $0.setObserver(observer, under: Paths.absolute(directory)) }
    }

    /// A change of the file that SQLite has opened as `handle`, or that has the name.
    static func announce(_ kind: DiskChange.Kind, of handle: Int) {
        guard let path = state.withLock({ $0.path(of: handle) }) else { return }
        announce(kind, of: path)
    }

    static func announce(_ kind: DiskChange.Kind, of path: String) {
        for observer in state.withLock({ $0.observers(of: path) }) {
            observer(DiskChange(kind: kind, path: path))
        }
    }

    /// Of all files that were opened below `directory`, also those that are gone.
    package static func counters(under directory: String) -> DiskCounters {
        state.withLock { $0.counters(under: Paths.absolute(directory)) }
    }

    package static func resetCounters(under directory: String) {
        state.withLock { $0.resetCounters(under: Paths.absolute(directory)) }
    }
}
