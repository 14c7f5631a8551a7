/// Operations that have begun and not yet answered, each by its slot.
struct SlotSet: Hashable {
    static let slotCount = 128

    private(set) var bits: UInt128 = 0

    var count: Int { bits.nonzeroBitCount }
    /// The lowest slot that is not in the set, if any.
    var firstFree: Int? {
        let slot = (~bits).trailingZeroBitCount
        return slot < Self.slotCount ? slot : nil
    }

    func contains(_ slot: Int) -> Bool { bits & (1 << UInt128(slot)) != 0 }
    mutating func insert(_ slot: Int) { bits |= 1 << UInt128(slot) }
    mutating func remove(_ slot: Int) { bits &= ~(1 << UInt128(slot)) }

    func union(_ other: SlotSet) -> SlotSet { SlotSet(bits: bits | other.bits) }
    func intersection(_ other: SlotSet) -> SlotSet { SlotSet(bits: bits & other.bits) }
    func subtracting(_ other: SlotSet) -> SlotSet { SlotSet(bits: bits & ~other.bits) }

    /// The lowest slot, taken out of the set.
    mutating func popFirst() -> Int? {
        guard bits != 0 else { return nil }
        let slot = bits.trailingZeroBitCount
        bits &= bits - 1
        return slot
    }
}

/// How many writes in doubt have taken effect. Those of one kind are interchangeable: a history
/// uses the oldest.
///
/// Not counted are those with an `If-Match`. They need a value that is written once, and end it; so
/// no path can use one twice.
struct Spent {
    var deletes: Int32 = 0
    var puts: Int32 = 0
    var creations: Int32 = 0
    /// Those whose value a condition names are told apart. Each at most once; rarely any.
    var named: [KeyState] = []

    /// Whether whatever can follow `other` can also follow this.
    func isNoMore(than other: Spent) -> Bool {
        deletes <= other.deletes && puts <= other.puts && creations <= other.creations
            && (named.isEmpty || named.allSatisfy { other.named.contains($0) })
    }

    func adding(_ state: KeyState) -> Spent {
        var result = self
        result.named.append(state)
        return result
    }
}

/// One of the ways in which things may have gone: what the key holds, and how it came to that.
struct Configuration {
    struct Place: Hashable {
        var state: KeyState
        /// Operations that have taken effect and not yet answered.
        var done: SlotSet
    }

    var place: Place
    var spent: Spent
}

/// Configurations, each place with those that have spent least. In the order in which they came,
/// so that a search always takes the same course.
struct ConfigurationSet {
    private struct Costs {
        /// Invariant: none is no more than another.
        var first: Spent
        var others: [Spent] = []
    }

    private var places: [Configuration.Place] = []
    private var costs: [Costs] = []
    /// Where each place stands. Only of sets that are too large to look through.
    private var index: [Configuration.Place: Int] = [:]
    private static let unindexedMax = 8

    var isEmpty: Bool { places.isEmpty }

    func forEach(_ body: (Configuration) -> Void) {
        for (place, cost) in zip(places, costs) {
            body(Configuration(place: place, spent: cost.first))
            for spent in cost.others { body(Configuration(place: place, spent: spent)) }
        }
    }

    /// - Returns: `false` if one at the same place is there that has spent no more.
    mutating func insert(_ new: Configuration) -> Bool {
        guard let at = find(new.place) else {
            append(new)
            return true
        }
        if costs[at].first.isNoMore(than: new.spent) { return false }
        if costs[at].others.contains(where: { $0.isNoMore(than: new.spent) }) { return false }
        costs[at].others.removeAll { new.spent.isNoMore(than: $0) }
        if new.spent.isNoMore(than: costs[at].first) {
            costs[at].first = new.spent
        } else {
            costs[at].others.append(new.spent)
        }
        return true
    }

    private func find(_ place: Configuration.Place) -> Int? {
        places.count <= Self.unindexedMax ? places.firstIndex(of: place) : index[place]
    }

    private mutating func append(_ new: Configuration) {
        places.append(new.place)
        costs.append(Costs(first: new.spent))
        if places.count == Self.unindexedMax + 1 {
            for (at, place) in places.enumerated() { index[place] = at }
        } else if places.count > Self.unindexedMax {
            index[new.place] = places.count - 1
        }
    }
}
