/// What happens when, in one order: by time, and at equal times by when it was planned.
struct EventQueue<Event> {
    private struct Item {
        var time: UInt64
        var number: UInt64
        var event: Event

        func isBefore(_ other: Item) -> Bool {
            (time, number) < (other.time, other.number)
        }
    }

    /// A binary heap, the next at 0.
    private var items: [Item] = []
    private var nextNumber: UInt64 = 0

    var nextTime: UInt64? { items.first?.time }
    var count: Int { items.count }

    mutating func add(_ event: Event, at time: UInt64) {
        items.append(Item(time: time, number: nextNumber, event: event))
        nextNumber += 1
        var child = items.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard items[child].isBefore(items[parent]) else { break }
            items.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeFirst() -> (time: UInt64, event: Event)? {
        guard let last = items.popLast() else { return nil }
        guard let first = items.first else { return (last.time, last.event) }
        items[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [parent * 2 + 1, parent * 2 + 2] where child < items.count {
                if items[child].isBefore(items[least]) { least = child }
            }
            if least == parent { break }
            items.swapAt(parent, least)
            parent = least
        }
        return (first.time, first.event)
    }
}
