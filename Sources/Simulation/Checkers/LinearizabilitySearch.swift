/// Follows all that may have happened on one key, answer by answer.
///
/// Each configuration is a state and the pending operations that have taken effect in it. When an
/// operation answers, it must have taken effect in every configuration; those where it can't die.
/// Before it, other pending operations may, in any order: no sooner than an answer asks for it,
/// which is Lowe's "just in time". What changes nothing takes effect as soon as it can.
///
/// Doubts are used only where the next step can't happen without. Having used fewer is never worse.
struct LinearizabilitySearch {
    /// An answer that nothing explains, and what the key could hold just before it.
    struct Failure {
        let operation: Int
        let states: [String?]
    }

    private let puzzle: KeyPuzzle
    /// Whether to drop configurations that lose a value which somebody has yet to find: values are
    /// written once, so these die anyway. It narrows the search, but lays the blame on the write,
    /// not on the read that came too late.
    private let looksAhead: Bool
    private let configurationsMax: Int
    private var configurationCount = 0

    private var configurations = ConfigurationSet()
    private var pending: PendingSteps
    private var doubts: DoubtsAtHand

    init(_ puzzle: KeyPuzzle, looksAhead: Bool, configurationsMax: Int) {
        self.puzzle = puzzle
        self.looksAhead = looksAhead
        self.configurationsMax = configurationsMax
        pending = PendingSteps(puzzle)
        doubts = DoubtsAtHand(puzzle)
    }

    /// - Returns: The first answer that nothing explains, if any.
    /// - Complexity: For n events, O(n log n) as long as few operations run at once on the key; at
    ///   worst exponential in how many do, and so bounded.
    mutating func run() throws(LinearizabilityChecker.TooHard) -> Failure? {
        let start = Configuration.Place(state: .absent, done: SlotSet())
        _ = configurations.insert(Configuration(place: start, spent: Spent()))
        for event in puzzle.events {
            switch event.kind {
            case .doubt:
                doubts.add(puzzle.doubts[event.number])
            case .begin:
                guard pending.begin(event.number) else { throw tooHard }
            case .answer, .seen:
                let before = configurations
                configurations = try answered(pending.slot(of: event.number))
                pending.end(event.number)
                if configurations.isEmpty {
                    return Failure(
                        operation: puzzle.operations[event.number], states: states(of: before))
                }
            }
        }
        return nil
    }

    private var tooHard: LinearizabilityChecker.TooHard {
        LinearizabilityChecker.TooHard(
            key: puzzle.key, configurationCount: configurationCount,
            pendingCount: pending.all.count)
    }

    private func states(of configurations: ConfigurationSet) -> [String?] {
        var states: Set<KeyState> = []
        configurations.forEach { states.insert($0.place.state) }
        return states.sorted { $0.rawValue < $1.rawValue }.map { state in
            state == .unseen ? "(a value that nobody saw)" : puzzle.value(of: state)
        }
    }

    /// The configurations in which the operation has taken effect, now that it answers.
    private mutating func answered(
        _ slot: Int
    ) throws(LinearizabilityChecker.TooHard) -> ConfigurationSet {
        var found = ConfigurationSet()
        var seen = ConfigurationSet()
        var work: [Configuration] = []
        configurations.forEach { work.append($0) }
        while var configuration = work.popLast() {
            configurationCount += 1
            guard configurationCount <= configurationsMax else { throw tooHard }
            if !configuration.place.done.contains(slot) {
                let pure = pending.pure(acceptedBy: configuration.place.state)
                configuration.place.done = configuration.place.done.union(pure)
            }
            if configuration.place.done.contains(slot) {
                configuration.place.done.remove(slot)
                _ = found.insert(configuration)
            } else if seen.insert(configuration) {
                addNext(after: configuration, to: &work)
            }
        }
        return found
    }

    /// Everything that can take effect now, and what it leads to.
    private func addNext(after configuration: Configuration, to work: inout [Configuration]) {
        let (state, done) = (configuration.place.state, configuration.place.done)
        var others = pending.all.subtracting(done)
        while let other = others.popFirst() {
            let step = pending.step(in: other)
            if step.accepts(state) {
                if looksAhead, loses(state, to: step, done: done) { continue }
                work.append(configuration.after(step, in: other))
            } else if !step.needs.isValue {
                // Doubts have no value that a step must find.
                if looksAhead, loses(state, to: nil, done: done) { continue }
                addDoubtful(before: step, in: other, from: configuration, to: &work)
            }
        }
    }

    /// The ways to a step that only doubts make possible.
    ///
    /// Two are enough. Absence takes a delete; any object but one takes a put, and before it a
    /// delete if the put needs absence, or if it needs the excluded object, the put of that.
    private func addDoubtful(
        before step: Step, in slot: Int, from configuration: Configuration,
        to work: inout [Configuration]
    ) {
        doubts.forEachNext(after: configuration) { first in
            if step.accepts(first.place.state) {
                work.append(first.after(step, in: slot))
            } else {
                doubts.forEachNext(after: first) { second in
                    guard step.accepts(second.place.state) else { return }
                    work.append(second.after(step, in: slot))
                }
            }
        }
    }

    /// Whether a value would go that somebody has yet to find.
    ///
    /// - Parameter step: What ends the state; `nil` for a doubt.
    private func loses(_ state: KeyState, to step: Step?, done: SlotSet) -> Bool {
        guard state.isValue else { return false }
        var wantedCount = pending.wantedCount(of: state, done: done)
        if case .state(state)? = step?.needs { wantedCount -= 1 }
        return wantedCount > 0
    }
}

extension Configuration {
    fileprivate func after(_ step: Step, in slot: Int) -> Configuration {
        var next = self
        next.place.state = step.leaves ?? place.state
        next.place.done.insert(slot)
        return next
    }
}

extension Step.Needs {
    fileprivate var isValue: Bool {
        if case .state(let state) = self { state != .absent } else { false }
    }
}
