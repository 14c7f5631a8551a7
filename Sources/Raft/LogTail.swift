import DequeModule

/// What of the log is in memory: the terms of all entries since the last compaction, and the
/// newest entries themselves.
struct LogTail: Hashable, Sendable {
    /// The entry before the first of `entries`.
    private(set) var start: LogPosition
    /// All entries after `start`, without a gap.
    private var entries: Deque<RaftEntry>
    private(set) var byteCount = 0
    /// The first entry that the log on disk has. At most `start.index.next`.
    private(set) var firstOnDisk: LogIndex
    /// First position of each term that is known, from `firstOnDisk.previous` or `start` on; never
    /// empty. There are few: one for each leader.
    private var runs: [LogPosition]

    init(start: LogPosition, firstOnDisk: LogIndex) {
        precondition(firstOnDisk <= start.index.next, "the disk has what memory has not")
        self.start = start
        self.entries = []
        self.firstOnDisk = firstOnDisk
        self.runs = [start]
    }

    var last: LogPosition { entries.last?.position ?? start }

    /// Nil beyond the log's end, and before what is known.
    func term(at index: LogIndex) -> Term? {
        guard index <= last.index else { return nil }
        return runs.last { $0.index <= index }?.term
    }

    func entry(at index: LogIndex) -> RaftEntry {
        entries[index - start.index - 1]
    }

    /// The newest entry not after `index` whose term is at most `term`: where a log that has this
    /// term at `index` may agree with this one (thesis 3.5). Nil if it is before what is known.
    func newestPosition(notAfter index: LogIndex, termMax: Term) -> LogPosition? {
        var end = min(index, last.index)
        for run in runs.reversed() where run.index <= end {
            if run.term <= termMax { return LogPosition(index: end, term: run.term) }
            guard run.index > .zero else { break }
            end = run.index.previous
        }
        return nil
    }

    /// Entries from `from` (after `start`) to `through`, at least one if there is one, else as
    /// many as fit in `bytesMax`.
    func slice(from: LogIndex, through: LogIndex, bytesMax: Int) -> (
        entries: [RaftEntry], bytes: Int
    ) {
        let end = min(through, last.index)
        guard from <= end else { return ([], 0) }
        let lower = from - start.index - 1
        let upperMax = end - start.index
        var upper = lower
        var bytes = 0
        while upper < upperMax {
            let size = entries[upper].byteCount
            if upper > lower, bytes + size > bytesMax { break }
            bytes += size
            upper += 1
        }
        return (Array(entries[lower..<upper]), bytes)
    }

    mutating func append(_ entry: RaftEntry) {
        precondition(entry.index == last.index.next, "the log has no gaps")
        assert(entry.term >= last.term, "terms grow along the log")
        if entry.term != last.term { runs.append(entry.position) }
        entries.append(entry)
        byteCount += entry.byteCount
    }

    /// Removes `index` and all that follow.
    ///
    /// - Returns: the bytes removed.
    mutating func truncate(from index: LogIndex) -> Int {
        precondition(index > start.index, "what was applied stays")
        var removed = 0
        while let entry = entries.last, entry.index >= index {
            removed += entry.byteCount
            entries.removeLast()
        }
        while runs.count > 1, runs[runs.count - 1].index >= index { runs.removeLast() }
        byteCount -= removed
        return removed
    }

    /// Forgets the oldest entries, none after `limit`, while there are more than `bytesMax`.
    mutating func evict(through limit: LogIndex, bytesMax: Int) {
        while byteCount > bytesMax, let entry = entries.first, entry.index <= limit {
            byteCount -= entry.byteCount
            start = entry.position
            entries.removeFirst()
        }
    }

    /// The disk will forget `index` and all before it.
    mutating func compact(to index: LogIndex) {
        guard index >= firstOnDisk, let term = term(at: index) else { return }
        firstOnDisk = index.next
        while let entry = entries.first, entry.index <= index {
            byteCount -= entry.byteCount
            start = entry.position
            entries.removeFirst()
        }
        runs.removeAll { $0.index < index && $0.term < term }
        runs[0].index = index
    }

    /// A snapshot has replaced everything.
    mutating func reset(to position: LogPosition) {
        self = LogTail(start: position, firstOnDisk: position.index.next)
    }
}
