import Core
import Raft
import Synchronization

/// What one group wants written: its hard state, then entries, which replace those from the first
/// one's index on.
package struct GroupWrite: Hashable, Sendable {
    package var range: RangeID
    package var hardState: HardState?
    /// Contiguous; the first is at most one behind the last of the log, and behind its mark.
    package var entries: [RaftEntry]

    package init(range: RangeID, hardState: HardState? = nil, entries: [RaftEntry] = []) {
        self.range = range
        self.hardState = hardState
        self.entries = entries
    }
}

/// The write-ahead log of one node, shared by all its Raft groups: one sync commits what all of
/// them wrote. See <doc:RaftLog> for the format and the failure model.
///
/// Synchronous, and blocking on the disk: to be called from one disk thread. Writes are durable
/// after the next ``sync()``. After any error but ``RaftLogError/full``, ``RaftLogError/compacted``
/// and ``RaftLogError/corrupt`` of a read, nothing is written any more: stop the process.
package final class RaftLog: Sendable {
    /// What is known of one group.
    package struct Group: Hashable, Sendable {
        package var hardState: HardState
        /// Entries up to here are gone.
        package var mark: SnapshotMark
        package var last: LogPosition
    }

    /// The group whose oldest entry keeps the most segments from going.
    package struct Pin: Hashable, Sendable {
        package var range: RangeID
        /// Segments that would go if the group were truncated, at most.
        package var segmentCount: Int
    }

    /// Held for as long as a call takes, disk and all: the calls are one disk thread's anyway.
    private let state: Mutex<LogState>

    /// - Parameter seed: Random: makes bytes of one segment no record of another.
    /// - Throws: ``RaftLogError/corrupt`` and ``RaftLogError/unsupportedVersion`` where the node
    ///   must not start.
    package init(
        disk: any LogDisk, segmentBytes: Int = RaftLogLimits.segmentBytes, seed: UInt64
    ) throws(RaftLogError) {
        let opened = try LogState(disk: disk, segmentBytes: segmentBytes, seed: seed)
        state = Mutex(opened)
    }

    // MARK: Writing

    /// Begins the group's log anew behind `mark`: a new group (mark zero, with its first
    /// membership) or an installed snapshot. The hard state stays.
    package func reset(_ range: RangeID, to mark: SnapshotMark) throws(RaftLogError) {
        try state.withLock { (state) throws(RaftLogError) in
            precondition(
                state.groups[range] != nil || state.groups.count < RaftLogLimits.groupCountMax)
            try state.append([.reset(range, mark)])
        }
    }

    /// Appends what the groups want written, in order. Repeating a failed call is harmless.
    package func append(_ writes: [GroupWrite]) throws(RaftLogError) {
        try state.withLock { (state) throws(RaftLogError) in
            Self.check(writes, against: state.groups)
            try state.append(writes.lazy.flatMap(Self.items))
        }
    }

    /// Everything appended so far is durable when this returns.
    package func sync() throws(RaftLogError) {
        try state.withLock { (state) throws(RaftLogError) in try state.sync() }
    }

    /// Entries up to the mark are not needed any more. Once that is durable (``sync()``), segments
    /// that no group needs are removed.
    package func truncate(_ range: RangeID, to mark: SnapshotMark) throws(RaftLogError) {
        try state.withLock { (state) throws(RaftLogError) in
            guard let group = state.groups[range] else { preconditionFailure("no group \(range)") }
            guard mark.position.index > group.mark.position.index else { return }
            precondition(
                group.term(at: mark.position.index) == mark.position.term,
                "a mark that the log does not know")
            try state.append([.mark(range, mark)])
        }
    }

    /// The group leaves this node.
    package func remove(_ range: RangeID) throws(RaftLogError) {
        try state.withLock { (state) throws(RaftLogError) in
            guard state.groups[range] != nil else { return }
            try state.append([.removal(range)])
        }
    }

    private static func check(_ writes: [GroupWrite], against groups: [RangeID: GroupLog]) {
        var lasts: [RangeID: LogIndex] = [:]
        for write in writes {
            guard let group = groups[write.range] else {
                preconditionFailure("no group \(write.range)")
            }
            guard let first = write.entries.first, let last = write.entries.last else { continue }
            precondition(first.index > group.mark.position.index, "an entry in front of the mark")
            let lastBefore = lasts[write.range] ?? group.lastIndex
            precondition(first.index <= lastBefore.next, "a gap in front of an entry")
            for (entry, next) in zip(write.entries, write.entries.dropFirst()) {
                precondition(next.index == entry.index.next, "a gap between entries")
            }
            lasts[write.range] = last.index
        }
    }

    private static func items(of write: GroupWrite) -> [LogItem] {
        var items: [LogItem] = []
        items.reserveCapacity(write.entries.count + 1)
        if let state = write.hardState { items.append(.hardState(write.range, state)) }
        for entry in write.entries { items.append(.entry(write.range, entry)) }
        return items
    }

    // MARK: Reading

    package var groups: [RangeID: Group] {
        state.withLock { state in
            state.groups.mapValues {
                Group(hardState: $0.hardState, mark: $0.mark, last: $0.last)
            }
        }
    }

    package func group(_ range: RangeID) -> Group? {
        state.withLock { state in
            state.groups[range].map {
                Group(hardState: $0.hardState, mark: $0.mark, last: $0.last)
            }
        }
    }

    /// Entries from `from` to the last, in order, as far as `bytesMax` goes; one may exceed it.
    package func entries(
        _ range: RangeID, from: LogIndex, bytesMax: Int
    ) throws(RaftLogError) -> [RaftEntry] {
        try state.withLock { (state) throws(RaftLogError) in
            try state.entries(range, from: from, bytesMax: bytesMax)
        }
    }

    /// Term of the entry at `index`; `nil` if it is not in the log and not its mark.
    package func term(_ range: RangeID, at index: LogIndex) -> Term? {
        state.withLock { $0.groups[range]?.term(at: index) }
    }

    /// The membership in effect at `index`, which is not in front of the mark.
    package func membership(_ range: RangeID, at index: LogIndex) -> Membership? {
        state.withLock { $0.groups[range]?.membership(at: index) }
    }

    /// Which group to checkpoint so that the oldest segment may go; `nil` if only the current
    /// segment is needed.
    package var pin: Pin? {
        state.withLock { state in
            guard let pin = state.pin, let last = state.segments.last?.number, pin.segment < last
            else { return nil }
            let others = state.groups.filter { $0.key != pin.range }.compactMap(
                \.value.firstSegment)
            return Pin(
                range: pin.range, segmentCount: Int((others.min() ?? last) - pin.segment))
        }
    }

    package var metrics: RaftLogMetrics { state.withLock { $0.metrics } }
}
