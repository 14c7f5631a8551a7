/// An answer that no order of the operations explains.
package struct LinearizabilityViolation: Error, CustomStringConvertible {
    package let key: String
    /// What nothing explains. Some other operation may be to blame: this is where it shows.
    package let operation: ClientOperation
    /// What the key could hold when it answered, `nil` for no object.
    package let states: [String?]
    /// The write of the value that the operation saw or named, if it did and there is one.
    package let origin: ClientOperation?
    /// The last writes and the last reads that began before it ended, in order of their beginning.
    package let before: [ClientOperation]

    /// How many writes, and how many reads, stand in ``before``.
    private static let beforeCountMax = 8

    /// - Parameter number: The place of the operation in the history.
    /// - Complexity: O(n log n) for n operations.
    init(key: String, number: Int, states: [String?], in history: ClientHistory) {
        let operation = history.operations[number]
        self.key = key
        self.operation = operation
        self.states = states
        let value = operation.value(foundAt: key)
        origin = history.operations.first { other in
            guard case .put(key, let written, _) = other.kind else { return false }
            return written == value
        }
        before = Self.before(number, key: key, in: history)
    }

    private static func before(
        _ number: Int, key: String, in history: ClientHistory
    ) -> [ClientOperation] {
        let end = history.operations[number].ended ?? .max
        let earlier = history.operations.enumerated()
            .filter { $0.offset != number && $0.element.began <= end && $0.element.touches(key) }
            .map(\.element)
            .sorted { ($0.ended ?? $0.began, $0.began) < ($1.ended ?? $1.began, $1.began) }
        let writes = earlier.filter(\.isWrite).suffix(beforeCountMax)
        let reads = earlier.filter { !$0.isWrite && $0.answer == .ok }.suffix(beforeCountMax)
        return (writes + reads).sorted {
            ($0.began, $0.ended ?? .max) < ($1.began, $1.ended ?? .max)
        }
    }

    package var description: String {
        let held = states.map { ClientOperation.short($0) }.joined(separator: ", ")
        var lines = [
            "key \(key): nothing explains", "    \(operation.description(on: key))",
            "  The key could hold: \(held).",
        ]
        if let origin {
            lines += ["  Its value comes from", "    \(origin)"]
        } else if let value = operation.value(foundAt: key) {
            lines.append("  Nobody has written \(ClientOperation.short(value)).")
        }
        if !before.isEmpty { lines.append("  What went before on this key:") }
        lines += before.map { "    \($0.description(on: key))" }
        return lines.joined(separator: "\n")
    }
}

extension ClientOperation {
    /// The value that it saw, or that its condition names.
    fileprivate func value(foundAt key: String) -> String? {
        switch kind {
        case .put(_, _, .match(let value)): value
        case .put, .delete: nil
        case .read(_, let value): value
        case .list(let page): page.seen[key]
        }
    }
}
