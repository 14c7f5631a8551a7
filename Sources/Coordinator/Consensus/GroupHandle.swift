import Catalogue
import Core
import Synchronization

/// What of one group all threads may touch.
final class GroupHandle: Sendable {
    /// What the loop last said of the group.
    struct Published: Hashable, Sendable {
        /// Leads, and has applied an entry of its own term.
        var isServing = false
        var term: UInt64 = 0
        var leader: NodeID?
    }

    let range: RangeID
    let lane: ApplyLane
    let fence = ReadFence()
    private let published = Mutex(Published())

    init(range: RangeID, lane: ApplyLane) {
        self.range = range
        self.lane = lane
    }

    var store: any CatalogueStore { lane.store }

    var state: Published {
        get { published.withLock { $0 } }
        set { published.withLock { $0 = newValue } }
    }
}

/// Lets a question be answered without asking the loop, while this node leads under a valid lease
/// (thesis 6.4.1).
///
/// Until the time given nobody else can have become leader. So every write that anybody was told of
/// was applied here before he was told, and a question that begins now may be answered from what is
/// applied now. The loop closes the fence before it lets another node lead early (a transfer).
final class ReadFence: Sendable {
    private let end = Atomic<UInt64>(0)

    /// - Parameter end: When the lease ends; `nil` closes the fence.
    func open(until end: MonotonicTime?) {
        self.end.store(end?.milliseconds ?? 0, ordering: .sequentiallyConsistent)
    }

    /// - Parameter now: Read after the fence is, not before: hence a closure.
    func isOpen(_ now: () -> MonotonicTime) -> Bool {
        let end = end.load(ordering: .sequentiallyConsistent)
        return end > 0 && now().milliseconds < end
    }
}
