import Core
import DequeModule
import Raft

/// The log and the state machine of one member, as far as they survive a crash, and the writes
/// that may or may not.
struct MemberDisk {
    /// What the state machine holds: a hash over everything applied.
    struct State: Hashable {
        var applied = LogIndex.zero
        var hash: UInt64 = 0

        mutating func apply(_ entry: RaftEntry) {
            applied = entry.index
            hash = (hash ^ EntryHash.of(entry)) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 29
        }
    }

    enum Write {
        case log(RaftReady)
        case install(SnapshotMark, State)
    }

    private(set) var hardState = HardState.empty
    private(set) var mark: SnapshotMark
    /// All after `mark`.
    private(set) var entries: Deque<RaftEntry> = []
    /// A checkpoint of the state machine. Not before `mark`.
    private(set) var state = State()
    /// Not yet durable, oldest first.
    private var pending: Deque<Write> = []

    init(first membership: Membership) {
        mark = SnapshotMark(position: .zero, membership: membership)
    }

    var last: LogPosition { entries.last?.position ?? mark.position }

    var recovery: RaftRecovery {
        RaftRecovery(
            hardState: hardState, membership: mark.membership,
            firstIndex: mark.position.index.next, start: mark.position, entries: Array(entries),
            applied: state.applied)
    }

    mutating func begin(_ write: Write) { pending.append(write) }

    /// The oldest write reaches the disk.
    mutating func finishWrite() -> Write? {
        guard let write = pending.popFirst() else { return nil }
        perform(write, entryCountMax: .max)
        return write
    }

    /// Some of what was on its way arrives, the last of it in part; the rest is lost.
    mutating func crash(using random: inout SeededRandom) {
        var whole = Int.random(in: 0...pending.count, using: &random)
        while let write = pending.popFirst() {
            if whole > 0 {
                perform(write, entryCountMax: .max)
                whole -= 1
                continue
            }
            if case .log(let ready) = write, !ready.entries.isEmpty {
                perform(
                    write, entryCountMax: .random(in: 0..<ready.entries.count, using: &random))
            }
            break
        }
        pending.removeAll()
    }

    mutating func checkpoint(_ state: State) {
        precondition(state.applied <= last.index, "only durable entries are applied")
        self.state = state
    }

    /// `index` is in the checkpoint.
    mutating func compact(to mark: SnapshotMark) {
        precondition(mark.position.index <= state.applied)
        while let entry = entries.first, entry.index <= mark.position.index {
            entries.removeFirst()
        }
        self.mark = mark
    }

    /// Nil if the entry or the term before it is gone.
    func read(_ wanted: RaftReady.EntriesWanted) -> (previousTerm: Term, entries: [RaftEntry])? {
        guard wanted.from > mark.position.index, wanted.from <= last.index else { return nil }
        let lower = wanted.from - mark.position.index - 1
        let previousTerm = lower == 0 ? mark.position.term : entries[lower - 1].term
        var bytes = 0
        let found = entries[lower...].prefix { entry in
            bytes += entry.byteCount
            return bytes <= wanted.bytesMax || entry.index == wanted.from
        }
        return (previousTerm, Array(found))
    }

    private mutating func perform(_ write: Write, entryCountMax: Int) {
        switch write {
        case .log(let ready):
            if let hardState = ready.hardState { self.hardState = hardState }
            for entry in ready.entries.prefix(entryCountMax) {
                while let last = entries.last, last.index >= entry.index { entries.removeLast() }
                precondition(entry.index == last.index.next, "the log on disk has no gaps")
                entries.append(entry)
            }
        case .install(let mark, let state):
            self.mark = mark
            self.state = state
            entries.removeAll()
        }
    }
}

enum EntryHash {
    static func of(_ entry: RaftEntry) -> UInt64 {
        var hash = entry.term.rawValue &* 0xBF58_476D_1CE4_E5B9 ^ entry.index.rawValue
        switch entry.payload {
        case .empty: hash ^= 1
        case .command(let bytes):
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        case .membership(let membership):
            for node in membership.voters { hash = (hash ^ node.low) &* 0x100_0000_01B3 }
            for node in membership.learners { hash = (hash ^ ~node.low) &* 0x100_0000_01B3 }
        }
        return hash ^ hash >> 31
    }
}
