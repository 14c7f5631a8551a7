import Core

/// An extent that holds a copy, or part of one, and no chunk: it was replaced, or its write came to
/// nothing. Left alone, a scan would take it for the chunk. So a drop record names it before the
/// index loses sight of it.
struct StaleCopy: Hashable, Sendable {
    let chunk: ChunkID
    let extent: Extent
}

/// Holes on their way to stable storage.
struct Holes: Sendable {
    /// Segments with holes that were not synced since.
    var unsynced: Set<UInt32> = []
    var unsyncedCount = 0
    /// When the oldest of them was punched.
    var since: UInt64?
    /// All extents that records before it name are holes, or were removed with their segment.
    var punched: TombstonePosition
    /// An extent could be freed in no way: the next start goes on from where the index is.
    var isStuck = false

    func isDue(now: UInt64) -> Bool {
        if unsyncedCount >= ChunkStoreLimits.unsyncedHolesMax { return true }
        return since.map { now >= $0 + ChunkStoreLimits.unsyncedHolesMilliseconds } ?? false
    }
}

/// How space returns. The order is what keeps a chunk that went from coming back:
///
/// 1. a record that names the extent, synced;
/// 2. the acknowledgement; the hole;
/// 3. a sync of the segment, now and then;
/// 4. the index's position passes the record; 30 days later the record's file goes.
///
/// Between 1 and 4 opening does it again. Places that a record names are not given again while the
/// record is there.
extension ChunkStore {
    /// Names stale copies in the log, and punches all that is buried. Blocks; on the maintenance
    /// thread.
    func reclaim() {
        guard failure == nil else { return }
        do {
            try tombstoneLog.withLock { log throws(DiskError) in try recordStale(&log) }
        } catch {
            // A full disk passes; they wait.
            if error != .full { return poison("stale copies could not be noted: \(error)") }
        }
        holes.withLock { punch(&$0) }
    }

    /// Writes drop records for all stale copies, so that the index may forget them.
    func recordStale(_ log: inout TombstoneLog) throws(DiskError) {
        let wall = clocks.wall.milliseconds
        while true {
            let most = log.recordsPerFile
            let records = state.withLock { state in
                state.stale.prefix(most).map { copy in
                    TombstoneRecord(
                        kind: .dropped, chunk: copy.chunk, milliseconds: wall,
                        place: Self.place(of: copy.extent, in: state))
                }
            }
            if records.isEmpty { return }
            try log.append(records)
            let end = log.end
            state.withLock { state in
                let named = state.stale.prefix(records.count)
                for copy in named { state.segments.removeStale(copy.extent) }
                state.buried += named.map(\.extent)
                state.stale.removeFirst(records.count)
                state.tombstones = end
                state.counters.tombstoneSyncs += 1
            }
        }
    }

    /// Notes a copy that is not a chunk's any more, or never was.
    static func addStale(_ chunk: ChunkID, _ extent: Extent, in state: inout State) {
        state.stale.append(StaleCopy(chunk: chunk, extent: extent))
        state.segments.addStale(extent)
    }

    /// What a record says of the extent: its segment stays while something is there.
    static func place(of extent: Extent, in state: borrowing State) -> TombstoneRecord.Place {
        guard let segment = state.segments[extent.segment] else {
            preconditionFailure("a segment with a copy in it stays")
        }
        return TombstoneRecord.Place(extent: extent, identity: segment.identity)
    }

    private func punch(_ holes: inout Holes) {
        let (buried, end) = state.withLock { state in
            defer { state.buried = [] }
            return (state.buried, state.tombstones)
        }
        for (number, dead) in Dictionary(grouping: buried, by: \.segment)
            .sorted(by: { $0.key < $1.key })
        {
            if removeIfDead(number) {
                holes.unsynced.remove(number)
                continue
            }
            do {
                let file = try files.file(number)
                for extent in dead { try file.erase(extent.range) }
                count { $0.extentsPunched += UInt64(dead.count) }
            } catch {
                count { $0.punchFailures += 1 }
                if error == .full {
                    holes.isStuck = true
                } else {
                    poison("extents of \(SegmentHeader.fileName(number)) stay: \(error)")
                }
            }
            holes.unsynced.insert(number)
            holes.unsyncedCount += dead.count
            holes.since = holes.since ?? clocks.monotonic.milliseconds
        }
        holes.punched = end
    }

    /// Makes holes durable, so that the index's position may pass their records. Blocks.
    func syncHoles() {
        reclaim()
        holes.withLock { holes in
            guard failure == nil else { return }
            for number in holes.unsynced.sorted() {
                guard state.withLock({ $0.segments[number] != nil }) else { continue }
                do {
                    try files.file(number).sync()
                } catch {
                    return poison("a sync of holes failed: \(error)")
                }
            }
            holes.unsynced = []
            holes.unsyncedCount = 0
            holes.since = nil
            if holes.isStuck { return }
            let punched = holes.punched
            state.withLock { $0.reclaimed = max($0.reclaimed, punched) }
        }
    }

    /// Removes the file of a segment where nothing lives. Blocks.
    ///
    /// - Returns: Whether the segment is gone.
    func removeIfDead(_ number: UInt32) -> Bool {
        guard state.withLock({ $0.segments.leaveIfDead(number) }) else {
            return state.withLock { $0.segments[number] == nil }
        }
        files.remove(number)
        do {
            try disk.remove(SegmentHeader.fileName(number))
        } catch {
            // With the file there and the index without it, what it held would come back.
            poison("a segment could not be removed: \(error)")
            return true
        }
        state.withLock { state in
            state.segments.removed(number)
            state.counters.segmentsRemoved += 1
        }
        return true
    }
}

extension ChunkFile {
    /// Frees an extent; where the file system can't, makes its header unreadable at least.
    ///
    /// - Throws: What writing says.
    func erase(_ range: Range<Int>) throws(DiskError) {
        do {
            try punch(range)
        } catch {
            try write(
                [UInt8](repeating: 0, count: ChunkStoreLimits.alignment), at: range.lowerBound)
        }
    }
}
