import Core
import Raft

/// Where in the segments an entry is.
struct EntryPlace: Hashable {
    var term: Term
    var segment: UInt32
    var offset: UInt32
    var bytes: UInt32
}

/// What the log knows of one group: its state and the places of its entries, in memory.
///
/// ```
///   gone │ live                    │
/// ───────┼─────────────────────────┼───▶ index
///      mark                      last
/// ```
struct GroupLog {
    private(set) var hardState = HardState.empty
    private(set) var mark = SnapshotMark(position: .zero, membership: .none)
    /// Index of `places[0]`. Behind the mark, except while recovery passes over entries whose
    /// predecessors went with a removed segment; a later mark then makes up for them.
    private var first = LogIndex.zero.next
    private var places = Places()
    /// Memberships among the live entries, ascending.
    private var memberships: [(index: LogIndex, membership: Membership)] = []

    var lastIndex: LogIndex { (first + places.count).previous }

    var last: LogPosition {
        guard let place = places.last else { return mark.position }
        return LogPosition(index: lastIndex, term: place.term)
    }

    /// No entries are missing between mark and last.
    var isWhole: Bool { first == mark.position.index.next }

    /// The oldest segment that holds a live entry.
    var firstSegment: UInt32? { places.first?.segment }

    mutating func set(_ state: HardState) { hardState = state }

    /// Cuts the log before `index`, then appends.
    ///
    /// - Returns: `false`, and nothing is done, if entries between the last and this are missing.
    mutating func append(_ entry: RaftEntry, at place: EntryPlace) -> Bool {
        precondition(entry.index > mark.position.index, "an entry in front of the mark")
        guard entry.index >= first, entry.index <= lastIndex.next else { return false }
        cut(from: entry.index)
        places.append(place)
        if case .membership(let membership) = entry.payload {
            memberships.append((entry.index, membership))
        }
        return true
    }

    /// Recovery: forgets all entries and goes on at `index`.
    mutating func skip(to index: LogIndex) {
        precondition(index > mark.position.index)
        places.removeAll()
        memberships = []
        first = index
    }

    private mutating func cut(from index: LogIndex) {
        places.removeLast(lastIndex.next - index)
        while let last = memberships.last, last.index >= index { memberships.removeLast() }
    }

    /// Entries up to the mark are not needed any more.
    mutating func truncate(to mark: SnapshotMark) {
        guard mark.position.index >= self.mark.position.index else { return }
        self.mark = mark
        let index = mark.position.index
        memberships.removeAll { $0.index <= index }
        if index >= lastIndex {
            places.removeAll()
            first = index.next
        } else if index >= first {
            places.removeFirst(index.next - first)
            first = index.next
        }
    }

    mutating func reset(to mark: SnapshotMark) {
        self.mark = mark
        places.removeAll()
        memberships = []
        first = mark.position.index.next
    }

    func place(at index: LogIndex) -> EntryPlace? {
        guard index >= first, index <= lastIndex else { return nil }
        return places[index - first]
    }

    /// Term of the entry at `index`: live, or the mark's.
    func term(at index: LogIndex) -> Term? {
        index == mark.position.index ? mark.position.term : place(at: index)?.term
    }

    /// The membership in effect once all up to `index` is in the log.
    func membership(at index: LogIndex) -> Membership {
        memberships.last { $0.index <= index }?.membership ?? mark.membership
    }
}

/// An array that is cheap to shorten at both ends.
private struct Places {
    private var array: [EntryPlace] = []
    private var removed = 0

    var count: Int { array.count - removed }
    var first: EntryPlace? { count > 0 ? array[removed] : nil }
    var last: EntryPlace? { count > 0 ? array[array.count - 1] : nil }

    subscript(index: Int) -> EntryPlace { array[removed + index] }

    mutating func append(_ place: EntryPlace) { array.append(place) }

    mutating func removeAll() {
        array = []
        removed = 0
    }

    mutating func removeLast(_ number: Int) {
        precondition(number <= count)
        array.removeLast(number)
    }

    /// Amortised O(1) for each removed element: moves the rest only when it is the smaller part.
    mutating func removeFirst(_ number: Int) {
        precondition(number <= count)
        removed += number
        guard removed > count else { return }
        array = Array(array[removed...])
        removed = 0
    }
}
