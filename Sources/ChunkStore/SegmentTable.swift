import Core
import Synchronization

/// Which segments there are, what is taken of them, and how much of that is alive. Pure.
///
/// ```
/// segment  │ header │ extent │ extent │ reserved │ extent │ reserved │ not taken yet …
///                                     ▲ mark: all before it has ended       ▲ next
/// ```
struct SegmentTable: Sendable {
    struct Segment: Sendable {
        let identity: StorageIdentity
        let kind: SegmentKind
        let bytes: Int
        /// Where the next extent goes.
        var next: Int
        var isSealed = false
        var isActive = false
        var liveCount = 0
        var liveBytes = 0
        /// Offsets of extents that are being written, ascending.
        var reserved: [Int] = []
        /// Extents without a chunk that no record names yet.
        var staleCount = 0
        /// Its file is being removed.
        var isLeaving = false

        /// Below it, every extent is alive, dead or given up: a scan need not look there once the
        /// index has what is alive.
        var mark: Int { reserved.first ?? next }
        var isDead: Bool {
            liveCount == 0 && reserved.isEmpty && staleCount == 0 && !isActive
        }
    }

    private(set) var segments: [UInt32: Segment] = [:]
    private var active: [SegmentKind: UInt32] = [:]
    private(set) var liveBytes = 0
    private(set) var liveCount = 0
    /// Bytes promised to writes that have not ended; with or without an extent.
    private(set) var promisedBytes = 0
    /// Segments whose mark moved, and segments that are gone, since ``takeChanges()``.
    private var changed: Set<UInt32> = []
    private var removed: Set<UInt32> = []
    /// Full segments that wait for their last writes, then for their seal.
    private(set) var retired: Set<UInt32> = []
    private(set) var nextNumber: UInt32 = 1

    subscript(number: UInt32) -> Segment? { segments[number] }

    // MARK: Room

    /// Promises room, so that writers at the same time can't overshoot together.
    ///
    /// - Returns: `false` when `capacity` would be passed.
    mutating func promise(_ bytes: Int, capacity: Int) -> Bool {
        guard liveBytes + promisedBytes + bytes <= capacity else { return false }
        promisedBytes += bytes
        return true
    }

    mutating func breakPromise(_ bytes: Int) {
        promisedBytes -= bytes
        precondition(promisedBytes >= 0, "a promise is broken once")
    }

    /// Takes the next extent of the active segment; the promise of its bytes stands.
    ///
    /// - Returns: `nil` where a new segment is needed; the one in use is retired.
    mutating func take(_ bytes: Int, kind: SegmentKind) -> Extent? {
        guard let number = active[kind], var segment = segments[number] else { return nil }
        guard segment.next + bytes <= segment.bytes else {
            retire(number)
            return nil
        }
        let extent = Extent(segment: number, offset: segment.next, bytes: bytes)
        segment.reserved.append(segment.next)
        segment.next += bytes
        segments[number] = segment
        changed.insert(number)
        return extent
    }

    /// The write of the extent has ended, and with it its promise.
    ///
    /// - Parameter isAlive: Whether a chunk is there now.
    mutating func end(_ extent: Extent, isAlive: Bool) {
        promisedBytes -= extent.bytes
        precondition(promisedBytes >= 0, "an extent ends once")
        guard var segment = segments[extent.segment],
            let place = segment.reserved.firstIndex(of: extent.offset)
        else { preconditionFailure("an extent that was taken is known") }
        segment.reserved.remove(at: place)
        if isAlive {
            segment.liveCount += 1
            segment.liveBytes += extent.bytes
            liveCount += 1
            liveBytes += extent.bytes
        }
        segments[extent.segment] = segment
        changed.insert(extent.segment)
    }

    /// The chunk in the extent is gone.
    mutating func release(_ extent: Extent) {
        guard var segment = segments[extent.segment] else { return }
        segment.liveCount -= 1
        segment.liveBytes -= extent.bytes
        liveCount -= 1
        liveBytes -= extent.bytes
        precondition(segment.liveCount >= 0 && segment.liveBytes >= 0, "released once")
        segments[extent.segment] = segment
    }

    /// A copy without a chunk is in the extent: the segment stays until a record names it.
    mutating func addStale(_ extent: Extent) { segments[extent.segment]?.staleCount += 1 }

    /// A record names the extent.
    mutating func removeStale(_ extent: Extent) {
        guard let count = segments[extent.segment]?.staleCount else { return }
        precondition(count > 0, "a stale copy is named once")
        segments[extent.segment]?.staleCount = count - 1
    }

    // MARK: Segments

    mutating func takeNumber() -> UInt32 {
        defer { nextNumber += 1 }
        return nextNumber
    }

    mutating func skipNumbers(through number: UInt32) {
        nextNumber = max(nextNumber, number + 1)
    }

    mutating func add(_ number: UInt32, _ segment: Segment) {
        precondition(segments[number] == nil, "numbers are not used twice")
        segments[number] = segment
        liveCount += segment.liveCount
        liveBytes += segment.liveBytes
        changed.insert(number)
        skipNumbers(through: number)
    }

    /// New extents of its kind go into the segment from now on.
    mutating func activate(_ number: UInt32) {
        guard let kind = segments[number]?.kind else { return }
        if let former = active[kind], former != number { retire(former) }
        active[kind] = number
        segments[number]?.isActive = true
        retired.remove(number)
    }

    mutating func retire(_ number: UInt32) {
        guard let segment = segments[number] else { return }
        if active[segment.kind] == number { active[segment.kind] = nil }
        segments[number]?.isActive = false
        if !segment.isSealed { retired.insert(number) }
    }

    mutating func sealed(_ number: UInt32) {
        segments[number]?.isSealed = true
        retired.remove(number)
    }

    /// - Returns: Whether nothing lives there and nothing will: its file is to be removed, then
    ///   ``removed(_:)`` called. `true` once.
    mutating func leaveIfDead(_ number: UInt32) -> Bool {
        guard let segment = segments[number], segment.isDead, !segment.isLeaving else {
            return false
        }
        segments[number]?.isLeaving = true
        return true
    }

    /// The file is gone for good: the index may forget the segment.
    mutating func removed(_ number: UInt32) {
        segments[number] = nil
        retired.remove(number)
        changed.remove(number)
        removed.insert(number)
    }

    /// What the index does not know of segments yet.
    mutating func takeChanges() -> (marks: [SegmentMark], removed: [UInt32]) {
        let marks = changed.compactMap { number in
            segments[number].map {
                SegmentMark(segment: number, identity: $0.identity, offset: $0.mark)
            }
        }
        defer {
            changed = []
            removed = []
        }
        return (marks, Array(removed))
    }

    /// A write of the index failed: all is to be written again.
    mutating func restoreChanges(_ marks: [SegmentMark], removed: [UInt32]) {
        for mark in marks where segments[mark.segment] != nil { changed.insert(mark.segment) }
        self.removed.formUnion(removed)
    }

    /// Room that is preallocated and not taken: the disk need not give it again.
    var preallocatedBytes: Int {
        active.values.reduce(0) { sum, number in
            sum + (segments[number].map { $0.bytes - $0.next } ?? 0)
        }
    }
}

/// The files of segments, opened when needed, with a bound on how many are open. Who holds a file
/// keeps it open beyond that.
final class SegmentFiles: Sendable {
    private struct Open {
        let file: any ChunkFile
        var lastUse: UInt64
    }

    private struct State {
        var files: [UInt32: Open] = [:]
        var clock: UInt64 = 0
    }

    private let disk: any ChunkDisk
    private let state = Mutex(State())

    init(disk: any ChunkDisk) { self.disk = disk }

    func file(_ number: UInt32) throws(DiskError) -> any ChunkFile {
        let known = state.withLock { state -> (any ChunkFile)? in
            state.clock += 1
            state.files[number]?.lastUse = state.clock
            return state.files[number]?.file
        }
        if let known { return known }
        let file = try disk.open(SegmentHeader.fileName(number))
        put(number, file)
        return file
    }

    func put(_ number: UInt32, _ file: any ChunkFile) {
        state.withLock { state in
            state.clock += 1
            state.files[number] = Open(file: file, lastUse: state.clock)
            if state.files.count > ChunkStoreLimits.openFilesMax,
                let oldest = state.files.min(by: { $0.value.lastUse < $1.value.lastUse })
            {
                state.files[oldest.key] = nil
            }
        }
    }

    func remove(_ number: UInt32) { state.withLock { $0.files[number] = nil } }
}
