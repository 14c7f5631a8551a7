/// The memberships in the log, oldest first. The last one is in effect, committed or not
/// (thesis 4.1); when its entry is cut off, the one before is again.
struct MembershipHistory: Hashable, Sendable {
    private struct Item: Hashable, Sendable {
        var index: LogIndex
        var membership: Membership
    }

    /// Never empty.
    private var items: [Item]

    init(base: Membership, at index: LogIndex) {
        items = [Item(index: index, membership: base)]
    }

    var current: Membership { items[items.count - 1].membership }
    var currentIndex: LogIndex { items[items.count - 1].index }
    /// The one that `current` replaced, if it is known.
    var previous: Membership? { items.count > 1 ? items[items.count - 2].membership : nil }

    func membership(at index: LogIndex) -> Membership? {
        items.last { $0.index <= index }?.membership
    }

    mutating func append(_ membership: Membership, at index: LogIndex) {
        assert(index > currentIndex)
        items.append(Item(index: index, membership: membership))
    }

    /// - Returns: whether the membership in effect has changed.
    mutating func truncate(from index: LogIndex) -> Bool {
        let count = items.count
        while items.count > 1, currentIndex >= index { items.removeLast() }
        return items.count != count
    }

    mutating func compact(to index: LogIndex) {
        while items.count > 1, items[1].index <= index { items.removeFirst() }
    }
}
