/// The values of one key: who names them, and which were seen.
struct KeyValues {
    /// The values of an entry of the history, as numbers.
    struct OfEntry {
        /// What it saw or wrote; `nil` for nothing.
        var own: Int?
        /// What its `If-Match` names.
        var named: Int?
    }

    /// By number.
    private(set) var names: [String] = []
    private(set) var ofEntries: [OfEntry] = []
    /// For each value, when the first answer that proves it ended; `nil` if none does.
    private(set) var firstSeen: [UInt64?] = []
    /// For each value, whether an `If-Match` names it.
    private(set) var isNamed: [Bool] = []

    private var numbers: [String: Int] = [:]
    /// For each value, the entry that writes it.
    private var writers: [Int?] = []

    /// - Complexity: O(n) for n entries.
    init(_ history: KeyHistory) {
        ofEntries.reserveCapacity(history.entries.count)
        for (number, entry) in history.entries.enumerated() {
            let values =
                switch entry.event {
                case .saw(let value): OfEntry(own: intern(value))
                case .wrote(let value, let condition):
                    OfEntry(own: intern(value), named: intern(condition))
                case .refused(let condition): OfEntry(named: intern(condition))
                }
            ofEntries.append(values)
            note(values, of: entry, number: number, key: history.key)
        }
        followConditions(history)
    }

    private mutating func note(
        _ values: OfEntry, of entry: KeyHistory.Entry, number: Int, key: String
    ) {
        if let named = values.named { isNamed[named] = true }
        if case .wrote = entry.event, let own = values.own {
            precondition(
                writers[own] == nil, "\(key): two writes of \(names[own]) can't be told apart")
            writers[own] = number
        }
        guard let ended = entry.ended else { return }
        switch entry.event {
        case .saw: saw(values.own, ended)
        // Its condition held.
        case .wrote: saw(values.named, ended)
        case .refused: break
        }
    }

    private mutating func saw(_ value: Int?, _ time: UInt64) {
        guard let value else { return }
        firstSeen[value] = min(time, firstSeen[value] ?? time)
    }

    /// A write in doubt that was seen proves the write that its condition names.
    private mutating func followConditions(_ history: KeyHistory) {
        for seen in names.indices where firstSeen[seen] != nil {
            var value = seen
            while let time = firstSeen[value], let writer = writers[value],
                history.entries[writer].ended == nil, let named = ofEntries[writer].named,
                firstSeen[named] == nil
            {
                // Not before both had begun: it may be that nobody can have seen it.
                firstSeen[named] = max(time, history.entries[writer].began)
                value = named
            }
        }
    }

    private mutating func intern(_ condition: ClientOperation.Condition) -> Int? {
        guard case .match(let value) = condition else { return nil }
        return intern(value)
    }

    private mutating func intern(_ value: String?) -> Int? {
        guard let value else { return nil }
        if let number = numbers[value] { return number }
        let number = names.count
        numbers[value] = number
        names.append(value)
        firstSeen.append(nil)
        isNamed.append(false)
        writers.append(nil)
        return number
    }
}
