/// A deterministic state machine on disk, as the Raft runner sees it: both the ranges of the object
/// index (``RangeStore``) and the system range (``SystemStore``).
///
/// The same commands in the same order give the same content and the same results on every replica,
/// however they are cut into batches.
///
/// The caller's duties:
/// - `apply`, `checkpoint` and `install` are called from one thread at a time (each may block on
///   the disk); `answer` and `writeSnapshot` from any thread at any time, also meanwhile.
/// - After an error of `apply`, `checkpoint` or `install` the store is not used again: the process
///   stops, and replays its log after the restart.
/// - The log keeps every entry above ``durableIndex``.
package protocol CatalogueStore: AnyObject, Sendable {
    /// The last applied log index; 0 where nothing was applied yet. What `answer` reads is never
    /// older than this was when the question came.
    var appliedIndex: UInt64 { get }

    /// What a power cut leaves at least: the log may be truncated up to here.
    var durableIndex: UInt64 { get }

    /// The note of the last `apply` that gave one, or of the installed snapshot; empty at first.
    var note: [UInt8] { get }

    /// Applies entries in one transaction, together with the applied index and `note`.
    ///
    /// - Parameters:
    ///   - entries: Without gaps, beginning at ``appliedIndex`` + 1. An empty payload (Raft's own
    ///     entries) only moves the index.
    ///   - note: What the caller wants back with this state, also on the replica that installs a
    ///     snapshot of it (the term and the members of the group); `nil` keeps the last one.
    /// - Returns: One serialized result for each entry, in order; empty for an empty payload. A
    ///   payload that cannot be decoded answers `INVALID_COMMAND`.
    func apply(_ entries: [CatalogueEntry], note: [UInt8]?) throws(CatalogueError) -> [[UInt8]]

    /// Answers a serialized question with a serialized answer, from one consistent state. A
    /// question that cannot be decoded answers `INVALID_COMMAND`.
    func answer(_ query: [UInt8]) throws(CatalogueError) -> [UInt8]

    /// Makes all that is applied durable: copies the write-ahead log into the file and syncs it.
    ///
    /// - Returns: The new ``durableIndex``.
    func checkpoint() throws(CatalogueError) -> UInt64

    /// Writes one consistent state as a file of its own, synced. Overwrites a file at `path`.
    func writeSnapshot(to path: String) throws(CatalogueError) -> CatalogueSnapshot

    /// Replaces all content by a snapshot, durably, or leaves everything as it was. The file at
    /// `path` is taken (it is gone afterwards) and must be on the same file system. Questions that
    /// come meanwhile wait.
    func install(snapshot path: String) throws(CatalogueError) -> CatalogueSnapshot

    /// Closes the files after a last checkpoint. The store is not used afterwards.
    func close()
}

extension CatalogueStore {
    package func apply(_ entries: [CatalogueEntry]) throws(CatalogueError) -> [[UInt8]] {
        try apply(entries, note: nil)
    }
}

/// One committed entry of a group's log.
package struct CatalogueEntry: Equatable, Sendable {
    package let index: UInt64
    package let payload: [UInt8]

    package init(index: UInt64, payload: [UInt8]) {
        self.index = index
        self.payload = payload
    }
}

/// What a snapshot file holds.
package struct CatalogueSnapshot: Equatable, Sendable {
    package let appliedIndex: UInt64
    package let note: [UInt8]
    /// Size of the file.
    package let bytes: Int

    package init(appliedIndex: UInt64, note: [UInt8], bytes: Int) {
        self.appliedIndex = appliedIndex
        self.note = note
        self.bytes = bytes
    }
}

/// Operating errors of the catalogue's stores.
package enum CatalogueError: Error, Equatable {
    /// The file's content contradicts itself. The replica's data is removed and fetched again from
    /// the other members.
    case damaged(path: String, detail: String)
    /// Written by another version of the program. Nothing was touched; the process refuses to
    /// start and says so.
    case unknownSchema(path: String, found: Int, known: Int)
    /// The file belongs to another range, or is none of ours. The process refuses to start.
    case foreign(path: String, detail: String)
    /// The log does not continue where the file ends. The replica's data is removed and fetched
    /// again from the other members.
    case gap(path: String, appliedIndex: UInt64, nextIndex: UInt64)
    /// The disk is full. The process stops.
    case full(path: String)
    /// SQLite or the file system failed. The process stops.
    case failed(path: String, detail: String)
}
