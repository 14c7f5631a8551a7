/// What a history says about one key. Linearizability is local (Herlihy and Wing 1990, theorem 1):
/// a history is linearizable if it is so key by key.
struct KeyHistory {
    enum Event {
        /// Found this, `nil` for no object.
        case saw(String?)
        /// Put a value, `nil` for a delete.
        case wrote(String?, if: ClientOperation.Condition)
        /// The condition did not hold.
        case refused(ClientOperation.Condition)
    }

    struct Entry {
        /// Its place in the whole history.
        let number: Int
        let event: Event
        let began: UInt64
        /// `nil` if it is in doubt, which only a write can be.
        let ended: UInt64?
    }

    let key: String
    private(set) var entries: [Entry] = []

    /// All keys of the history, in order, each with what is known about it: certain answers and
    /// writes in doubt. A read without an answer says nothing, and a write that failed is none.
    ///
    /// - Complexity: O(n log k) for n operations and k keys, and one entry for each key that a page
    ///   covers.
    static func split(_ history: ClientHistory) -> [KeyHistory] {
        var perKey = keys(of: history).map { KeyHistory(key: $0) }
        let places = Dictionary(
            uniqueKeysWithValues: perKey.enumerated().map { ($0.element.key, $0.offset) })
        for (number, operation) in history.operations.enumerated() {
            if case .list(let page) = operation.kind {
                guard operation.answer == .ok else { continue }
                let first = perKey.firstPlace { Page.isInOrder(page.after, $0.key) }
                let end = page.upto.map { upto in
                    perKey.firstPlace { Page.isInOrder(upto, $0.key) }
                }
                // An empty span, where `upto` is not behind `after`, speaks for nobody.
                for place in first..<max(first, end ?? perKey.count) {
                    let value = page.seen[perKey[place].key]
                    perKey[place].append(number, operation, .saw(value))
                }
            } else if let (key, event) = single(operation), let place = places[key] {
                perKey[place].append(number, operation, event)
            }
        }
        return perKey
    }

    private typealias Page = ClientOperation.Page

    private mutating func append(_ number: Int, _ operation: ClientOperation, _ event: Event) {
        let ended = operation.answer == .unknown ? nil : operation.ended
        entries.append(Entry(number: number, event: event, began: operation.began, ended: ended))
    }

    private static func keys(of history: ClientHistory) -> [String] {
        var keys: Set<String> = []
        for operation in history.operations {
            if case .list(let page) = operation.kind, operation.answer == .ok {
                keys.formUnion(page.seen.keys)
            } else if let (key, _) = single(operation) {
                keys.insert(key)
            }
        }
        return keys.sorted(by: Page.isInOrder)
    }

    /// What an operation on a single key says, if anything.
    private static func single(_ operation: ClientOperation) -> (key: String, Event)? {
        switch (operation.kind, operation.answer) {
        case (_, .failed), (.list, _), (.read, .unknown), (.read, .refused): nil
        case (.put(let key, _, let condition), .refused): (key, .refused(condition))
        case (.put(let key, let value, let condition), _): (key, .wrote(value, if: condition))
        case (.delete(let key), _): (key, .wrote(nil, if: .always))
        case (.read(let key, let value), .ok): (key, .saw(value))
        }
    }
}

extension Array {
    /// The first place whose element fits, `count` if there is none; those that fit are at the end.
    ///
    /// - Complexity: O(log n)
    fileprivate func firstPlace(where fits: (Element) -> Bool) -> Int {
        var range = 0..<count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            range =
                fits(self[middle]) ? range.lowerBound..<middle : middle + 1..<range.upperBound
        }
        return range.lowerBound
    }
}
