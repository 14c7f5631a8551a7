import Core
import Raft

/// Counters of the log since it was opened.
package struct RaftLogMetrics: Hashable, Sendable {
    package var syncCount: UInt64 = 0
    package var recordCount: UInt64 = 0
    package var entryCount: UInt64 = 0
    package var writtenBytes: UInt64 = 0
    package var segmentCount = 0
    package init() {}
}

/// The log itself: segments and groups. Not thread-safe; ``RaftLog`` wraps it.
struct LogState {
    private let disk: any LogDisk
    private let segmentBytes: Int
    private var random: SeededRandom
    private(set) var segments: [Segment]
    private(set) var groups: [RangeID: GroupLog]
    /// Synced bytes of the last segment.
    private var durable = 0
    private var isPoisoned = false
    private(set) var metrics = RaftLogMetrics()

    /// Items of the record being made, and what they mean for the groups once it is written.
    private var builder = RecordBuilder()
    private var pending: [(item: LogItem, place: Range<Int>)] = []

    init(disk: any LogDisk, segmentBytes: Int, seed: UInt64) throws(RaftLogError) {
        precondition(segmentBytes >= RaftLogLimits.segmentBytesMin)
        precondition(segmentBytes <= RaftLogLimits.segmentBytesMax)
        precondition(segmentBytes % RecordHeader.alignment == 0)
        self.disk = disk
        self.segmentBytes = segmentBytes
        self.random = SeededRandom(seed: seed)
        let recovery = try LogRecovery(disk: disk)
        self.segments = recovery.segments
        self.groups = recovery.groups
        // A process that was killed may have left names to the page cache alone: were the next
        // one durable before them, a power cut would leave a gap.
        if !segments.isEmpty { try attempt { () throws(DiskError) in try disk.syncDirectory() } }
        // A segment of our own: nothing is ever appended behind a torn tail.
        try beginSegment()
        try removeUnneeded()
    }

    private var current: Segment { segments[segments.count - 1] }

    /// A segment is never filled up, so one that is exactly as long as its records was closed.
    private var usableBytes: Int { segmentBytes - RecordHeader.byteCount }

    // MARK: Writing

    /// Puts `items` behind the log, in order. Durable after ``sync()``.
    mutating func append(_ items: some Sequence<LogItem>) throws(RaftLogError) {
        guard !isPoisoned else { throw .poisoned }
        builder.removeAll()
        pending = []
        for item in items {
            let bytes = item.byteCount
            precondition(
                bytes <= RaftLogLimits.itemBytesMax(segmentBytes: segmentBytes),
                "an item larger than a quarter of a segment")
            let target = min(RaftLogLimits.recordBytesTarget, segmentBytes / 4)
            if !builder.isEmpty && builder.recordBytes + bytes > target { try writeRecord() }
            pending.append((item, builder.append(item)))
        }
        if !builder.isEmpty { try writeRecord() }
    }

    private mutating func writeRecord() throws(RaftLogError) {
        let hasEntries = pending.contains { if case .entry = $0.item { true } else { false } }
        let reserve = hasEntries ? RaftLogLimits.reserveBytes : 0
        if current.end + builder.recordBytes > usableBytes - reserve { try beginSegment() }
        let segment = current
        let record = builder.record(
            kind: .batch, salt: segment.salt, offset: segment.end, durable: durable)
        do {
            try segment.file.write(record, at: segment.end)
        } catch {
            // What was written is no record; the next one overwrites it.
            if error.isFull { throw .full }
            throw poison(error)
        }
        for (item, place) in pending { take(item, place, in: segment) }
        segments[segments.count - 1].end += record.count
        metrics.recordCount += 1
        metrics.writtenBytes += UInt64(record.count)
        builder.removeAll()
        pending = []
    }

    /// The meaning of a written item.
    private mutating func take(_ item: LogItem, _ place: Range<Int>, in segment: Segment) {
        switch item {
        case .entry(let range, let entry):
            metrics.entryCount += 1
            let place = EntryPlace(
                term: entry.term, segment: segment.number,
                offset: UInt32(segment.end + place.lowerBound), bytes: UInt32(place.count))
            let isAppended = groups[range]?.append(entry, at: place) ?? false
            precondition(isAppended, "checked before")
        case .hardState(let range, let state): groups[range]?.set(state)
        case .mark(let range, let mark): groups[range]?.truncate(to: mark)
        case .reset(let range, let mark): groups[range, default: GroupLog()].reset(to: mark)
        case .removal(let range): groups[range] = nil
        }
    }

    private mutating func poison(_ error: DiskError) -> RaftLogError {
        isPoisoned = true
        return .failed(error)
    }

    /// Makes all that was appended durable, then removes segments that nobody needs.
    mutating func sync() throws(RaftLogError) {
        guard !isPoisoned else { throw .poisoned }
        try syncCurrent()
        try removeUnneeded()
    }

    private mutating func syncCurrent() throws(RaftLogError) {
        guard !segments.isEmpty, durable < current.end else { return }
        do { try current.file.sync() } catch { throw poison(error) }
        durable = current.end
        metrics.syncCount += 1
    }

    // MARK: Segments

    /// Makes the next segment and goes on there. The one before is closed only when this one is
    /// durable, so at any time at most the last segment may be torn.
    private mutating func beginSegment() throws(RaftLogError) {
        try syncCurrent()
        let number = (segments.last?.number ?? 0) + 1
        let salt: UInt64 = random.next()
        let name = Segment.name(number)
        let head = makeHead(number: number, salt: salt)
        precondition(head.count <= segmentBytes / 2, "the groups' states fit a segment")
        let file: any LogFile
        do { file = try disk.create(name, bytes: segmentBytes) } catch {
            if error.isFull { throw .full }
            throw poison(error)
        }
        do {
            try file.write(head, at: 0)
            try file.sync()
            try disk.syncDirectory()
            if let before = segments.last { try before.file.truncate(to: before.end) }
        } catch { throw poison(error) }
        metrics.syncCount += 1
        metrics.recordCount += 1
        metrics.writtenBytes += UInt64(head.count)
        segments.append(Segment(number: number, file: file, salt: salt, end: head.count))
        durable = head.count
        metrics.segmentCount = segments.count
    }

    private func makeHead(number: UInt32, salt: UInt64) -> [UInt8] {
        var builder = RecordBuilder()
        builder.append(field: number)
        builder.append(field: UInt32(segments.last?.end ?? 0))
        for (range, group) in groups.sorted(by: { $0.key < $1.key }) {
            _ = builder.append(.hardState(range, group.hardState))
            _ = builder.append(.mark(range, group.mark))
        }
        return builder.record(kind: .segmentHead, salt: salt, offset: 0, durable: 0)
    }

    /// The oldest segment with a live entry, and whose it is.
    var pin: (range: RangeID, segment: UInt32)? {
        groups.compactMap { range, group in group.firstSegment.map { (range, $0) } }
            .min { ($0.1, $0.0) < ($1.1, $1.0) }
    }

    /// Call when everything is synced: marks must be durable before what they free goes. One at a
    /// time and oldest first, so that a crash leaves no hole.
    private mutating func removeUnneeded() throws(RaftLogError) {
        let needed = pin?.segment ?? current.number
        while let first = segments.first, first.number < needed {
            do {
                try disk.remove(first.file.name)
                try disk.syncDirectory()
            } catch { throw poison(error) }
            segments.removeFirst()
            metrics.segmentCount = segments.count
        }
    }

    // MARK: Reading

    /// Entries from `from`, in order, as far as `bytesMax` goes; one may exceed it.
    func entries(
        _ range: RangeID, from: LogIndex, bytesMax: Int
    ) throws(RaftLogError) -> [RaftEntry] {
        guard let group = groups[range] else { return [] }
        guard from > group.mark.position.index else {
            throw .compacted(range, first: group.mark.position.index.next)
        }
        var entries: [RaftEntry] = []
        var bytes = 0
        var index = from
        while let place = group.place(at: index) {
            bytes += Int(place.bytes)
            if bytes > bytesMax && !entries.isEmpty { break }
            entries.append(try read(range, index, place))
            index = index.next
        }
        return entries
    }

    private func read(
        _ range: RangeID, _ index: LogIndex, _ place: EntryPlace
    ) throws(RaftLogError) -> RaftEntry {
        guard let first = segments.first, place.segment >= first.number else {
            preconditionFailure("a live entry in a removed segment")
        }
        let segment = segments[Int(place.segment - first.number)]
        let start = Int(place.offset)
        let bytes = try attempt { () throws(DiskError) in
            try segment.file.read(start..<start + Int(place.bytes))
        }
        var offset = 0
        guard case .entry(range, let entry)? = LogItem.decode(bytes, at: &offset, to: bytes.count),
            entry.index == index, entry.term == place.term
        else {
            throw .corrupt(
                file: segment.file.name, offset: start, what: "entry \(index) of \(range)")
        }
        return entry
    }
}
