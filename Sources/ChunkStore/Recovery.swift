import Core
import Foundation
import GRDB

/// Opens a store: reads what is on the disk and brings the index up to it.
///
/// 1. The file `store` names the store and its version.
/// 2. The index is opened; one that is missing, damaged, behind the tombstones that are left or of
///    another version is made anew, empty.
/// 3. Segment files are looked at: which there are, and whose they are.
/// 4. Tombstones after the index's position are applied: a delete to its chunk, a drop to the one
///    extent that it names.
/// 5. Each segment is scanned from the index's mark on. Extents that a drop named are passed over.
///    Those of a segment that was not sealed, and all where the index was made anew, are believed
///    only if their payload is whole.
/// 6. What was found is synced before the index has it, since a process that died may have left it
///    in memory alone. What is dead becomes holes, and they are synced before marks and position
///    pass them.
///
/// Repeating any part of it changes nothing: recovery may itself be interrupted anywhere.
struct Recovery {
    let capacityBytes: Int
    let segmentBytes: Int
    let identity: StorageIdentity
    let disk: any ChunkDisk
    let clocks: any Clocks
    var index: ChunkIndex
    let indexPath: String
    let files: SegmentFiles
    var log: TombstoneLog
    var segments = SegmentTable()
    var counters = ChunkStoreCounters()
    /// What the index has as its position in the tombstones.
    var position = TombstonePosition.start
    /// What could not be freed: to be named again and freed later.
    var stale: [StaleCopy] = []
    /// The index has no marks and no position: it is new, or was not finished.
    var isRebuild = false
    var found: [UInt32: FoundSegment] = [:]
    var batch: [ChunkID: ChunkEntry] = [:]
    var dead: [StaleCopy] = []
    /// Offsets in pages of extents that drops name, by segment: 8 bytes or so each, of 30 days
    /// where the index is made anew.
    var dropped: [UInt32: Set<UInt32>] = [:]
    /// Segments with something that is not synced: chunks and holes.
    var unsynced: Set<UInt32> = []

    /// A segment file as recovery goes on.
    struct FoundSegment {
        var header: SegmentHeader
        /// Scanned from here on.
        var mark: Int
        /// Behind everything that a chunk, a record or the index knows of.
        var next: Int

        /// The place was given: nothing is put before it again.
        mutating func raise(_ end: Int) { next = max(next, end) }
    }

    private static let storeFile = "store"

    /// - Throws: ``ChunkStoreError/unusable(_:)`` and what the disk says.
    init(
        disk: any ChunkDisk, indexPath: String, capacityBytes: Int, segmentBytes: Int?,
        tombstoneFileBytes: Int?, clocks: any Clocks
    ) throws {
        ChunkStoreLimits.check()
        self.disk = disk
        self.indexPath = indexPath
        self.capacityBytes = capacityBytes
        self.segmentBytes =
            segmentBytes ?? ChunkStoreLimits.segmentBytes(capacity: capacityBytes)
        self.clocks = clocks
        files = SegmentFiles(disk: disk)
        let names = try disk.list()
        identity = try Self.identity(disk, names)
        log = TombstoneLog(
            disk: disk, store: identity,
            fileBytes: tombstoneFileBytes ?? ChunkStoreLimits.tombstoneFileBytes)
        let isNew: Bool
        (index, isNew) = try Self.openIndex(
            indexPath, oldestTombstones: names.compactMap(TombstoneLog.number(ofFile:)).min())
        let isUsed = names.contains { SegmentHeader.number(ofFile: $0) != nil }
        if isNew, isUsed { counters.indexRebuilds = 1 }
        try recover(names)
    }

    // MARK: The store and its index

    private static func identity(
        _ disk: any ChunkDisk, _ names: [String]
    ) throws -> StorageIdentity {
        if names.contains(storeFile) {
            let bytes = try disk.open(storeFile).read(0..<SegmentHeader.byteCount)
            do {
                return try SegmentHeader.decode(bytes).store
            } catch HeaderProblem.unknownVersion(let version) {
                throw ChunkStoreError.unusable(
                    "the chunk store has the format \(version); this program knows "
                        + "\(SegmentHeader.version)")
            } catch {
                // Cut off while it was made, or damaged: then there is something to lose.
                let isUsed = names.contains {
                    SegmentHeader.number(ofFile: $0) != nil
                        || TombstoneLog.number(ofFile: $0) != nil
                }
                if isUsed { throw ChunkStoreError.unusable("the file 'store' is damaged") }
            }
        }
        var random = Randomness.system
        let header = SegmentHeader(
            kind: nil, number: 0, store: .random(using: &random),
            identity: StorageIdentity(high: 0, low: 0), bytes: 0)
        let file = try disk.create(storeFile, bytes: ChunkStoreLimits.alignment)
        try file.write(header.encoded(), at: 0)
        try file.sync()
        return header.store
    }

    static func markerPath(ofIndex path: String) -> String { path + ".damaged" }

    /// - Returns: The index, and whether it is empty for being new.
    private static func openIndex(
        _ path: String, oldestTombstones: UInt32?
    ) throws -> (ChunkIndex, Bool) {
        let marker = markerPath(ofIndex: path)
        let isMissing = access(path, F_OK) != 0
        if access(marker, F_OK) != 0, !isMissing {
            do {
                let index = try ChunkIndex(path: path)
                let position = try index.marks().tombstones
                // Of a time before tombstones that are gone by now: a copy that somebody put
                // back.
                let isBehind = position != .start && position.file < oldestTombstones ?? 0
                if !isBehind { return (index, false) }
                try index.close()
            } catch {
                guard isDamage(error) || error is ChunkIndex.IndexOfOtherVersion else {
                    throw error
                }
            }
        }
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
        // The former one must not come back with a power loss: places are given anew from now on.
        let slash = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        try DurableFile.syncDirectory(slash)
        let index = try ChunkIndex(path: path)
        unlink(marker)
        return (index, true)
    }

    /// Whether the index file itself is bad, as opposed to a disk without room or rights.
    static func isDamage(_ error: any Error) -> Bool {
        guard let error = error as? DatabaseError else { return false }
        return [.SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_ERROR].contains(error.resultCode)
    }

    static func isFull(_ error: any Error) -> Bool {
        (error as? DatabaseError)?.resultCode == .SQLITE_FULL
    }
}

extension ChunkStore {
    /// What a simulation puts in the place of a store's files.
    package struct SimulatedStore: Sendable {
        package var disk: any ChunkDisk
        package var segmentBytes: Int
        package var tombstoneFileBytes: Int

        package init(disk: any ChunkDisk, segmentBytes: Int, tombstoneFileBytes: Int) {
            self.disk = disk
            self.segmentBytes = segmentBytes
            self.tombstoneFileBytes = tombstoneFileBytes
        }
    }

    /// Opens the store in `directory`, or makes one there.
    ///
    /// - Parameters:
    ///   - capacityBytes: What chunks may take, headers and rounding included.
    ///   - name: Begins the names of its threads.
    ///   - simulated: Keeps segments and tombstones instead of files; the index lies in `directory`
    ///     all the same.
    package static func open(
        directory: String, capacityBytes: Int, name: String = "chunk",
        clocks: any Clocks = SystemClocks(), simulated: SimulatedStore? = nil
    ) async throws(ChunkStoreError) -> ChunkStore {
        let thread = DiskThread(name: name + "-open", jobCountMax: 1)
        defer { thread.stop() }
        do {
            return try await thread.run {
                _ = try FileDisk(directory: directory)
                let disk: any ChunkDisk =
                    try simulated?.disk ?? FileDisk(directory: directory + "/segments")
                return try open(
                    disk: disk, indexPath: directory + "/index.sqlite",
                    capacityBytes: capacityBytes, segmentBytes: simulated?.segmentBytes,
                    tombstoneFileBytes: simulated?.tombstoneFileBytes, name: name, clocks: clocks)
            }
        } catch let error as ChunkStoreError {
            throw error
        } catch {
            throw .unusable("\(error)")
        }
    }

    /// The same on a given disk. Blocks.
    static func open(
        disk: any ChunkDisk, indexPath: String, capacityBytes: Int, segmentBytes: Int? = nil,
        tombstoneFileBytes: Int? = nil, name: String = "chunk",
        clocks: any Clocks = SystemClocks()
    ) throws -> ChunkStore {
        ChunkStore(
            try Recovery(
                disk: disk, indexPath: indexPath, capacityBytes: capacityBytes,
                segmentBytes: segmentBytes, tombstoneFileBytes: tombstoneFileBytes,
                clocks: clocks),
            name: name)
    }
}
