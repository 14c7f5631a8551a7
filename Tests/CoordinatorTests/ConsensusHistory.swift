import NIOCore
import Synchronization

/// What clients of one counter saw, and whether one counter at one place could have answered so.
///
/// Every `add` gets a value of its own, so a linear order is given by the values; it remains to see
/// that it agrees with time.
final class CounterHistory: Sendable {
    struct Operation: Sendable {
        var isAdd: Bool
        var begin: NIODeadline
        var end: NIODeadline
        var value: Int
    }

    private let operations = Mutex<[Operation]>([])
    private let over = Mutex(false)

    /// Clients go on until ``end()``.
    var isOver: Bool { over.withLock { $0 } }
    func end() { over.withLock { $0 = true } }

    var count: Int { operations.withLock { $0.count } }

    func record(isAdd: Bool, _ body: () async -> Int?) async -> Bool {
        let begin = NIODeadline.now()
        guard let value = await body() else { return false }
        let operation = Operation(isAdd: isAdd, begin: begin, end: .now(), value: value)
        operations.withLock { $0.append(operation) }
        return true
    }

    /// - Returns: what cannot be, or nil.
    func violation() -> String? {
        let all = operations.withLock { $0 }
        let adds = all.filter(\.isAdd).sorted { $0.value < $1.value }
        for (add, next) in zip(adds, adds.dropFirst()) where add.value == next.value {
            return "two adds answered \(add.value)"
        }
        if let last = adds.last, last.value != adds.count {
            return "\(adds.count) adds made \(last.value)"
        }
        // In order of their ends; the highest value that was surely reached before each begin.
        let byEnd = all.sorted { $0.end < $1.end }
        var reached = 0
        var ended = 0
        for operation in all.sorted(by: { $0.begin < $1.begin }) {
            while ended < byEnd.count, byEnd[ended].end < operation.begin {
                reached = max(reached, byEnd[ended].value)
                ended += 1
            }
            let isPast = operation.isAdd ? operation.value <= reached : operation.value < reached
            if isPast {
                return "\(operation) began when \(reached) was reached"
            }
        }
        // A read cannot see an add that had not begun.
        for read in all where !read.isAdd && read.value > 0 {
            if adds[..<read.value].contains(where: { $0.begin > read.end }) {
                return "\(read) saw the future"
            }
        }
        return nil
    }
}
