/// What a key holds, as a number: the search compares and hashes these a lot.
struct KeyState: Hashable {
    let rawValue: Int32

    static let absent = KeyState(rawValue: 0)
    /// Any value that no answer depends on: all such are one.
    static let unseen = KeyState(rawValue: 1)

    var isValue: Bool { rawValue > 1 }
}

/// An operation that must take effect between its beginning and its answer.
struct Step {
    enum Needs {
        case anything
        case state(KeyState)
        /// An object, and not this one: a condition did not hold.
        case other(than: KeyState?)
    }

    let needs: Needs
    /// `nil` for those that change nothing.
    let leaves: KeyState?

    func accepts(_ state: KeyState) -> Bool {
        switch needs {
        case .anything: true
        case .state(let needed): state == needed
        case .other(let excluded): state != .absent && state != excluded
        }
    }
}

/// A write that may take effect at any time from its beginning on, or never.
enum Doubt {
    case delete
    case put(KeyState)
    case create(KeyState)
    /// Leaves `then` where it finds `old`.
    case replace(old: KeyState, then: KeyState)
}

/// The history of one key as the search takes it: numbers for values, steps, doubts, and events in
/// order of time.
///
/// A write in doubt whose value somebody saw did happen, before the first such sight ended; then
/// so did the write that its `If-Match` names, and so on. Those are steps. What is left are doubts,
/// and no value that a step must find comes from one.
struct KeyPuzzle {
    struct Event: Comparable {
        /// At one and the same time beginnings go first: that forbids less. A write in doubt that
        /// was seen ends after the sight of it, which so gets the blame.
        enum Kind: UInt8 { case doubt, begin, answer, seen }

        let time: UInt64
        let kind: Kind
        /// Of the doubt or the step.
        let number: Int

        static func < (one: Event, other: Event) -> Bool {
            if one.time != other.time { return one.time < other.time }
            if one.kind != other.kind { return one.kind.rawValue < other.kind.rawValue }
            return one.number < other.number
        }
    }

    let key: String
    private(set) var steps: [Step] = []
    /// For each step, its operation in the whole history.
    private(set) var operations: [Int] = []
    private(set) var doubts: [Doubt] = []
    private(set) var events: [Event] = []
    /// How many states there are: all have smaller numbers.
    private(set) var stateCount = 2

    private let values: KeyValues
    private let mergesUnseen: Bool
    /// The state of each value.
    private var states: [KeyState] = []

    /// - Parameter mergesUnseen: Whether all values that no answer depends on are one state.
    ///   Quicker, but a message can't name them. Those of doubts are one in any case.
    /// - Complexity: O(n log n) for n entries.
    init(_ history: KeyHistory, mergesUnseen: Bool) {
        key = history.key
        self.mergesUnseen = mergesUnseen
        values = KeyValues(history)
        nameStates(history)
        for (entry, value) in zip(history.entries, values.ofEntries) { add(entry, value) }
        events.sort()
    }

    /// The value of a state; `nil` for all that have no name.
    func value(of state: KeyState) -> String? {
        guard state.isValue else { return nil }
        return states.firstIndex(of: state).map { values.names[$0] }
    }

    private mutating func nameStates(_ history: KeyHistory) {
        states = values.names.map { _ in .unseen }
        var isTold = values.isNamed
        for (entry, value) in zip(history.entries, values.ofEntries) {
            guard let own = value.own else { continue }
            let isStep = entry.ended != nil || values.firstSeen[own] != nil
            if case .saw = entry.event { isTold[own] = true }
            if isStep, !mergesUnseen { isTold[own] = true }
        }
        for value in states.indices where isTold[value] {
            states[value] = KeyState(rawValue: Int32(stateCount))
            stateCount += 1
        }
    }

    private mutating func add(_ entry: KeyHistory.Entry, _ value: KeyValues.OfEntry) {
        let own = value.own.map { states[$0] } ?? .absent
        let named = value.named.map { states[$0] }
        switch entry.event {
        case .saw:
            add(Step(needs: .state(own), leaves: nil), entry)
        case .refused:
            add(Step(needs: .other(than: named), leaves: nil), entry)
        case .wrote(_, let condition):
            let seen = value.own.flatMap { values.firstSeen[$0] }
            if entry.ended != nil || seen != nil {
                let needs: Step.Needs =
                    condition == .absent ? .state(.absent) : named.map { .state($0) } ?? .anything
                add(Step(needs: needs, leaves: own), entry, seen: seen)
            } else {
                events.append(Event(time: entry.began, kind: .doubt, number: doubts.count))
                doubts.append(
                    value.own == nil
                        ? .delete
                        : condition == .absent
                            ? .create(own)
                            : named.map { .replace(old: $0, then: own) } ?? .put(own))
            }
        }
    }

    private mutating func add(_ step: Step, _ entry: KeyHistory.Entry, seen: UInt64? = nil) {
        let number = steps.count
        steps.append(step)
        operations.append(entry.number)
        events.append(Event(time: entry.began, kind: .begin, number: number))
        if let ended = entry.ended {
            events.append(Event(time: ended, kind: .answer, number: number))
        } else if let seen {
            events.append(Event(time: max(seen, entry.began), kind: .seen, number: number))
        }
    }
}
