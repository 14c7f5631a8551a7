import Core
import Foundation
import GRDB

/// Opens a store: reads what is on the disk and brings the index up to it.
///
/// 1. The file `store` names the store and its version.
/// 2. The index is opened; one that is missing, damaged or of another version is made anew, empty.
/// 3. Tombstones after the index's mark are applied.
/// 4. Each segment is scanned from the index's mark on. Extents of a segment that was not sealed
/// are
///    believed only if their payload is whole: a crash leaves some half-written.
/// 5. What was found is synced, since a process that died may have left it in memory alone.
///
/// Repeating any part of it changes nothing: recovery may itself be interrupted anywhere.
struct Recovery {
    let capacityBytes: Int
    let segmentBytes: Int
    let identity: StorageIdentity
    let disk: any ChunkDisk
    let clocks: any Clocks
    private(set) var index: ChunkIndex
    let indexPath: String
    let files: SegmentFiles
    private(set) var log: TombstoneLog
    private(set) var segments = SegmentTable()
    private(set) var counters = ChunkStoreCounters()
    private var batch: [ChunkID: ChunkEntry] = [:]
    private var dead: [Extent] = []

    private static let storeFile = "store"

    /// - Throws: ``ChunkStoreError/unusable(_:)`` and what the disk says.
    init(
        disk: any ChunkDisk, indexPath: String, capacityBytes: Int, segmentBytes: Int?,
        clocks: any Clocks
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
        log = TombstoneLog(disk: disk, store: identity)
        (index, counters.indexRebuilds) = try Self.openIndex(
            indexPath, isNew: !names.contains { SegmentHeader.number(ofFile: $0) != nil })
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
        var random = SystemRandomNumberGenerator()
        let header = SegmentHeader(
            kind: nil, number: 0, store: .random(using: &random),
            identity: StorageIdentity(high: 0, low: 0), bytes: 0)
        let file = try disk.create(storeFile, bytes: ChunkStoreLimits.alignment)
        try file.write(header.encoded(), at: 0)
        try file.sync()
        return header.store
    }

    static func markerPath(ofIndex path: String) -> String { path + ".damaged" }

    private static func openIndex(_ path: String, isNew: Bool) throws -> (ChunkIndex, UInt64) {
        let marker = markerPath(ofIndex: path)
        let isMissing = access(path, F_OK) != 0
        if access(marker, F_OK) != 0, !isMissing {
            do {
                return (try ChunkIndex(path: path), 0)
            } catch {
                guard isDamage(error) || error is ChunkIndex.IndexOfOtherVersion else {
                    throw error
                }
            }
        }
        for suffix in ["", "-wal", "-shm", "-journal"] { unlink(path + suffix) }
        let index = try ChunkIndex(path: path)
        unlink(marker)
        return (index, isNew ? 0 : 1)
    }

    /// Whether the index file itself is bad, as opposed to a disk without room or rights.
    static func isDamage(_ error: any Error) -> Bool {
        guard let error = error as? DatabaseError else { return false }
        return [.SQLITE_CORRUPT, .SQLITE_NOTADB, .SQLITE_ERROR].contains(error.resultCode)
    }

    static func isFull(_ error: any Error) -> Bool {
        (error as? DatabaseError)?.resultCode == .SQLITE_FULL
    }

    // MARK: From the disk to the index

    private mutating func recover(_ names: [String]) throws {
        let (marks, position) = try index.marks()
        try recoverTombstones(names, from: position)
        let numbers = names.compactMap { SegmentHeader.number(ofFile: $0) }.sorted()
        try forgetMissing(numbers, marks)
        var ends: [UInt32: (header: SegmentHeader, end: Int)] = [:]
        let markOf = Dictionary(marks.map { ($0.segment, $0) }, uniquingKeysWith: { $1 })
        var touched: Set<UInt32> = []
        for number in numbers {
            let extents = counters.recoveredExtents + counters.tornExtents
            if let found = try recoverSegment(number, markOf[number]) { ends[number] = found }
            if counters.recoveredExtents + counters.tornExtents > extents {
                touched.insert(number)
            }
        }
        try settle(touched)
        try flushBatch(
            marks: ends.map { number, found in
                SegmentMark(segment: number, identity: found.header.identity, offset: found.end)
            })
        try addSegments(ends)
    }

    /// Frees what is dead, then makes all that was found and freed durable.
    private mutating func settle(_ touched: Set<UInt32>) throws {
        let segments = Set(dead.map(\.segment))
        for extent in dead {
            // Space that can't be freed stays taken; nothing depends on it.
            try? files.file(extent.segment).punch(extent.range)
        }
        dead = []
        for number in segments.union(touched) { try files.file(number).sync() }
    }

    private mutating func recoverTombstones(
        _ names: [String], from position: TombstonePosition
    ) throws {
        var found: [TombstoneRecord] = []
        do {
            let damaged = try log.recover(
                numbers: names.compactMap { TombstoneLog.number(ofFile: $0) }, from: position
            ) { found.append($0) }
            counters.damagedTombstones += UInt64(damaged)
            try log.sync()
        } catch RecoveryProblem.unknownVersion(let file, let version) {
            throw ChunkStoreError.unusable(
                "\(file) has the format \(version); this program knows \(SegmentHeader.version)")
        }
        for record in found {
            if case .stored(let location) = try entry(of: record.chunk) {
                dead.append(location.extent)
            }
            switch record.kind {
            case .deleted: batch[record.chunk] = .deleted(record.milliseconds)
            case .dropped: batch[record.chunk] = .dropped
            }
            counters.recoveredTombstones += 1
            if batch.count >= ChunkStoreLimits.recoveryBatchCount { try flushBatch(marks: []) }
        }
    }

    /// Rows of segments that are not there are of no use: the other copies replace the chunks.
    private mutating func forgetMissing(_ numbers: [UInt32], _ marks: [SegmentMark]) throws {
        try flushBatch(marks: [])
        let known = Set(numbers)
        let named = Set(try index.usage().keys).union(marks.map(\.segment))
        for number in named where !known.contains(number) {
            counters.lostChunks += UInt64(try index.forget(segment: number))
            segments.skipNumbers(through: number)
        }
        dead.removeAll { !known.contains($0.segment) }
    }

    private func entry(of chunk: ChunkID) throws -> ChunkEntry? {
        if let entry = batch[chunk] { return entry == .dropped ? nil : entry }
        return try index.entry(of: chunk)
    }

    private mutating func flushBatch(marks: [SegmentMark]) throws {
        // Tombstones come first, so whatever is in the index now is behind all of them.
        let entries = batch.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
        let position = marks.isEmpty ? nil : log.end
        if entries.isEmpty, marks.isEmpty { return }
        try index.write(IndexBatch(entries: entries, marks: marks, tombstones: position))
        batch = [:]
    }

    /// - Returns: `nil` if the file holds nothing, not even a header: it was removed.
    private mutating func recoverSegment(
        _ number: UInt32, _ mark: SegmentMark?
    ) throws -> (header: SegmentHeader, end: Int)? {
        let file = try files.file(number)
        let size = try file.size()
        var header: SegmentHeader
        var from = ChunkStoreLimits.segmentHeaderBytes
        do {
            header = try SegmentHeader.decode(try file.read(0..<SegmentHeader.byteCount))
            guard header.store == identity, header.number == number else {
                throw ChunkStoreError.unusable(
                    "\(SegmentHeader.fileName(number)) belongs to another store")
            }
            if let mark, mark.identity == header.identity {
                from = max(from, mark.offset)
            } else if mark != nil {
                _ = try index.forget(segment: number)
            }
        } catch HeaderProblem.unknownVersion(let version) {
            throw ChunkStoreError.unusable(
                "\(SegmentHeader.fileName(number)) has the format \(version); this program knows "
                    + "\(SegmentHeader.version)")
        } catch is HeaderProblem {
            let scan = SegmentScan(file: file, identity: mark?.identity, size: size)
            guard let identity = try mark?.identity ?? scan.firstIdentity() else {
                // Its header was never synced, so nothing in it was ever acknowledged.
                try disk.remove(SegmentHeader.fileName(number))
                files.remove(number)
                segments.skipNumbers(through: number)
                return nil
            }
            header = SegmentHeader(
                kind: .large, number: number, store: self.identity, identity: identity,
                bytes: size)
        }
        let scan = SegmentScan(file: file, identity: header.identity, size: size)
        let end = try scan.run(from: from, isVerifying: !header.isSealed) { found in
            try take(found, in: number)
        }
        return (header, end)
    }

    private mutating func take(_ found: SegmentScan.Found, in number: UInt32) throws {
        let header = found.header
        let location = ChunkLocation(
            segment: number, offset: header.offset, headerBytes: header.headerBytes,
            payloadBytes: header.payloadBytes)
        guard found.isWhole else {
            counters.tornExtents += 1
            // One that the index has was whole when it was acknowledged: it is corrupt, not torn,
            // and stays, so that reading it says so. Of others only the header goes: what they
            // claim as their pages may have been given to another since.
            let known = try entry(of: header.chunk)
            if known != .stored(location) {
                dead.append(
                    Extent(
                        segment: number, offset: header.offset,
                        bytes: ChunkStoreLimits.alignment))
            }
            return
        }
        counters.recoveredExtents += 1
        switch try entry(of: header.chunk) {
        case .deleted: dead.append(location.extent)
        case nil, .dropped: batch[header.chunk] = .stored(location)
        case .stored(let former) where former == location: break
        case .stored(let former):
            // Written again because the former copy was bad: the later one counts.
            let isLater = (former.segment, former.offset) < (number, header.offset)
            dead.append(isLater ? former.extent : location.extent)
            if isLater { batch[header.chunk] = .stored(location) }
        }
        if batch.count >= ChunkStoreLimits.recoveryBatchCount { try flushBatch(marks: []) }
    }

    private mutating func addSegments(
        _ ends: [UInt32: (header: SegmentHeader, end: Int)]
    ) throws {
        let usage = try index.usage()
        for (number, found) in ends.sorted(by: { $0.key < $1.key }) {
            let live = usage[number] ?? (count: 0, bytes: 0)
            var segment = SegmentTable.Segment(
                identity: found.header.identity, kind: found.header.kind ?? .large,
                bytes: found.header.bytes, next: found.end)
            segment.isSealed = found.header.isSealed
            segment.liveCount = live.count
            segment.liveBytes = live.bytes
            segments.add(number, segment)
            let size = try files.file(number).size()
            let isOpen =
                !segment.isSealed && found.header.kind != nil && size >= found.header.bytes
            if isOpen { segments.activate(number) } else { segments.retire(number) }
            if !isOpen, segments.removeIfDead(number) {
                files.remove(number)
                try disk.remove(SegmentHeader.fileName(number))
            }
        }
    }
}

extension ChunkStore {
    /// Opens the store in `directory`, or makes one there.
    ///
    /// - Parameters:
    ///   - capacityBytes: What chunks may take, headers and rounding included.
    ///   - name: Begins the names of its threads.
    package static func open(
        directory: String, capacityBytes: Int, name: String = "chunk",
        clocks: any Clocks = SystemClocks()
    ) async throws(ChunkStoreError) -> ChunkStore {
        let thread = DiskThread(name: name + "-open", jobCountMax: 1)
        defer { thread.stop() }
        do {
            return try await thread.run {
                _ = try FileDisk(directory: directory)
                let disk = try FileDisk(directory: directory + "/segments")
                return try open(
                    disk: disk, indexPath: directory + "/index.sqlite",
                    capacityBytes: capacityBytes, name: name, clocks: clocks)
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
        name: String = "chunk", clocks: any Clocks = SystemClocks()
    ) throws -> ChunkStore {
        ChunkStore(
            try Recovery(
                disk: disk, indexPath: indexPath, capacityBytes: capacityBytes,
                segmentBytes: segmentBytes, clocks: clocks),
            name: name)
    }
}
