import Core
import Foundation
import Synchronization

/// Chunks on one disk: kept in segment files, found by an index, acknowledged when on stable
/// storage.
///
/// Synchronous calls may block and belong on a disk thread: the store's own (``onReadThread(_:)``,
/// ``onWriteThread(for:_:)``), where they are bounded. ``write(_:owner:payload:replacing:done:)``
/// and ``delete(_:done:)`` only queue and may be called on an event loop. See the module's page.
package final class ChunkStore: Sendable {
    /// Writes of one chunk that have begun and not ended.
    struct Writing {
        var count = 0
        /// A tombstone came meanwhile.
        var isDeleted = false
        /// The copy that was here when it began has gone.
        var isDropped = false
        /// Another of them has put the chunk there.
        var isCommitted = false
    }

    struct State {
        var segments: SegmentTable
        var recent = RecentChanges()
        var cache = LocationCache()
        var writing: [ChunkID: Writing] = [:]
        /// Everything before it is in `recent` or in the index.
        var tombstones: TombstonePosition
        /// Everything before it has holes on stable storage: what the index may have as its
        /// position, and what it has.
        var reclaimed: TombstonePosition
        var indexed: TombstonePosition
        /// Copies that no record names yet, and extents that records name and that are no holes
        /// yet.
        var stale: [StaleCopy]
        var buried: [Extent] = []
        var isFlushing = false
        var isClosed = false
        /// Why nothing is acknowledged any more.
        var failure: String?
        var waitingImageBytes = 0
        var diskFreeBytes: Int
        var counters: ChunkStoreCounters
        /// The last few chunks that were found corrupt.
        var corrupt: [ChunkID] = []
    }

    package let capacityBytes: Int
    let segmentBytes: Int
    let identity: StorageIdentity
    let disk: any ChunkDisk
    let clocks: any Clocks
    let index: ChunkIndex
    let indexPath: String
    let files: SegmentFiles
    let pageMemory = PageMemoryPool()
    let state: Mutex<State>
    /// Held while a segment is made.
    let creation = Mutex<Void>(())
    /// Held while the index is written, and by deletes from look-up to change: so a location is
    /// never between the recent changes and the index while they look. Owns the tombstone log.
    let tombstoneLog: Mutex<TombstoneLog>
    /// Held while holes are punched and synced; before ``tombstoneLog``'s, never after it.
    let holes: Mutex<Holes>
    let committers: [SegmentKind: CommitQueue<PendingCommit>]
    let deletes: CommitQueue<PendingDelete>
    private let readThreads: [DiskThread]
    private let writeThreads: [DiskThread]
    private let maintenanceThread: DiskThread
    private let nextReader = Atomic<Int>(0)

    init(_ recovered: Recovery, name: String) {
        capacityBytes = recovered.capacityBytes
        segmentBytes = recovered.segmentBytes
        identity = recovered.identity
        disk = recovered.disk
        clocks = recovered.clocks
        index = recovered.index
        indexPath = recovered.indexPath
        files = recovered.files
        tombstoneLog = Mutex(recovered.log)
        holes = Mutex(Holes(punched: recovered.position))
        state = Mutex(
            State(
                segments: recovered.segments, tombstones: recovered.log.end,
                reclaimed: recovered.position, indexed: recovered.position,
                stale: recovered.stale, diskFreeBytes: (try? recovered.disk.freeBytes()) ?? 0,
                counters: recovered.counters))
        let jobs = ChunkStoreLimits.jobCountMax
        func threads(_ kind: String, _ count: Int) -> [DiskThread] {
            (0..<count).map { DiskThread(name: "\(name)-\(kind)\($0)", jobCountMax: jobs) }
        }
        readThreads = threads("read", ChunkStoreLimits.readThreadCount)
        writeThreads = threads("write", ChunkStoreLimits.writeThreadCount)
        maintenanceThread = DiskThread(name: name + "-index", jobCountMax: jobs)
        committers = [
            .small: CommitQueue(name: name + "-small"), .large: CommitQueue(name: name + "-large"),
        ]
        deletes = CommitQueue(name: name + "-delete")
        for kind in SegmentKind.allCases {
            committers[kind]!.start { [weak self] group in self?.commit(group, kind: kind) }
        }
        deletes.start { [weak self] group in self?.delete(group) }
    }

    // MARK: Threads

    /// Runs `job` where it may wait for the disk.
    ///
    /// - Returns: `false` when too much waits already or the store is closed.
    package func onReadThread(_ job: @escaping @Sendable () -> Void) -> Bool {
        let number = nextReader.wrappingAdd(1, ordering: .relaxed).oldValue
        return readThreads[Int(UInt(bitPattern: number) % UInt(readThreads.count))].offer(job)
    }

    /// The same for the pieces of a large write: jobs for one chunk run in order.
    package func onWriteThread(
        for chunk: ChunkID, _ job: @escaping @Sendable () -> Void
    ) -> Bool {
        writeThreads[Int(chunk.low % UInt64(writeThreads.count))].offer(job)
    }

    // MARK: State

    package var usage: ChunkStoreUsage {
        state.withLock { state in
            let taken = state.segments.liveBytes + state.segments.promisedBytes
            let reserve = ChunkStoreLimits.reserveBytes(capacity: capacityBytes)
            let disk = state.diskFreeBytes - reserve + state.segments.preallocatedBytes
            return ChunkStoreUsage(
                chunkCount: state.segments.liveCount, usedBytes: state.segments.liveBytes,
                freeBytes: max(0, min(capacityBytes - taken, disk)),
                capacityBytes: capacityBytes, segmentCount: state.segments.segments.count)
        }
    }

    package var counters: ChunkStoreCounters { state.withLock { $0.counters } }

    /// What an operator should know; empty when all is well.
    package var problems: [String] {
        state.withLock { state in
            var problems: [String] = []
            if let failure = state.failure { problems.append("the disk failed: \(failure)") }
            if state.counters.lostChunks > 0 {
                problems.append(
                    "\(state.counters.lostChunks) chunks lost their segment file, or were found "
                        + "corrupt as the index was made anew: give the node an empty disk, "
                        + "which is filled again")
            }
            if !state.corrupt.isEmpty {
                let names = state.corrupt.map(\.hex).joined(separator: ", ")
                problems.append("corrupt chunks: \(names)")
            }
            return problems
        }
    }

    /// The last few chunks that were found corrupt and were not replaced or removed since.
    package var corruptChunks: [ChunkID] { state.withLock { $0.corrupt } }

    /// Why the store acknowledges nothing any more; `nil` while it works.
    package var failure: String? { state.withLock { $0.failure } }

    func count(_ change: (inout ChunkStoreCounters) -> Void) {
        state.withLock { change(&$0.counters) }
    }

    /// From now on nothing is acknowledged: what the disk holds is not known any more.
    func poison(_ reason: String) {
        state.withLock { if $0.failure == nil { $0.failure = reason } }
    }

    func checkWritable(_ state: borrowing State) throws(ChunkStoreError) {
        if let failure = state.failure { throw .diskFailed(failure) }
        if state.isClosed { throw .closed }
    }

    // MARK: Look-up

    /// Where a chunk is, by what is sure: not by the cache. Blocks.
    func entry(of chunk: ChunkID) throws(ChunkStoreError) -> ChunkEntry? {
        let recent = state.withLock { state in
            state.counters.indexLookups += 1
            return state.recent[chunk]
        }
        if let recent { return recent == .dropped ? nil : recent }
        do {
            return try index.entry(of: chunk)
        } catch {
            throw indexFailed(error)
        }
    }

    /// What the index throws is never a reason to lie: the store stops, and the next start makes a
    /// new index if this one can't be read.
    func indexFailed(_ error: any Error) -> ChunkStoreError {
        let reason = "the index failed: \(error)"
        if Recovery.isDamage(error) {
            try? DurableFile.replace(Recovery.markerPath(ofIndex: indexPath), with: [])
        }
        poison(reason)
        return .diskFailed(reason)
    }

    /// Whether the chunk is stored here. Blocks.
    package func contains(_ chunk: ChunkID) throws(ChunkStoreError) -> Bool {
        try entry(of: chunk)?.location != nil
    }

    /// Whether a tombstone stands for the chunk. Blocks.
    package func isDeleted(_ chunk: ChunkID) throws(ChunkStoreError) -> Bool {
        if case .deleted = try entry(of: chunk) { return true }
        return false
    }

    /// Chunks of a partition that are stored here, in order. What changes meanwhile may or may not
    /// be among them. Blocks.
    ///
    /// - Parameter limit: At most ``ChunkStoreLimits/listCountMax``.
    package func list(
        _ partition: PartitionID, after: ChunkID? = nil, limit: Int
    ) throws(ChunkStoreError) -> (chunks: [ChunkID], isTruncated: Bool) {
        let limit = min(max(limit, 1), ChunkStoreLimits.listCountMax)
        let recent = state.withLock { $0.recent.entries(in: partition, after: after) }
        let goneCount = recent.values.count { $0.location == nil }
        let stored: [ChunkID]
        do {
            stored = try index.stored(in: partition, after: after, limit: limit + goneCount + 1)
        } catch {
            throw indexFailed(error)
        }
        let isMore = stored.count > limit + goneCount
        var chunks = Set(stored)
        for (chunk, entry) in recent {
            if entry.location == nil { chunks.remove(chunk) } else { chunks.insert(chunk) }
        }
        var sorted = chunks.sorted()
        // Beyond the last one of a full page of the index, only the recent ones are known.
        if isMore, let last = stored.last { sorted.removeAll { $0 > last } }
        let isTruncated = isMore || sorted.count > limit
        return (Array(sorted.prefix(limit)), isTruncated)
    }

    /// Partitions of which chunks are stored here, in order: all of them, and such as may have
    /// lost their last one a moment ago. One look into the index for each. Blocks.
    package func partitions() throws(ChunkStoreError) -> [PartitionID] {
        let recent = state.withLock { $0.recent.partitions }
        do {
            return try index.partitions().union(recent).sorted()
        } catch {
            throw indexFailed(error)
        }
    }

    // MARK: Close

    /// Refuses new work, ends what has begun, brings the index up to date. Idempotent.
    package func close() async {
        let isFirst = state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
        guard isFirst else { return }
        for thread in writeThreads { await thread.drain() }
        for queue in committers.values { await queue.close() }
        await deletes.close()
        await runMaintenance { store in
            store.syncHoles()
            store.flush()
        }
        maintenanceThread.stop()
        for thread in readThreads { await thread.drain() }
        try? index.close()
    }

    /// Runs `job` on the maintenance thread and waits for it.
    func runMaintenance(_ job: @escaping @Sendable (ChunkStore) -> Void) async {
        _ = try? await maintenanceThread.run { job(self) }
    }

    func offerMaintenance(_ job: @escaping @Sendable (ChunkStore) -> Void) {
        // Refused: the next call finds the same work.
        _ = maintenanceThread.offer { [weak self] in if let self { job(self) } }
    }
}

extension DiskThread {
    /// Refuses new jobs and waits for those that are queued.
    func drain() async {
        await withCheckedContinuation { continuation in
            if !offer({ continuation.resume() }) { continuation.resume() }
        }
        stop()
    }
}
