/// The doubts of a search that have begun: what may take effect from now on, whenever it helps.
struct DoubtsAtHand {
    private struct Named {
        let state: KeyState
        let needsAbsence: Bool
    }

    /// How many there are of those that are counted.
    private var limit = Spent()
    /// Those that are told apart.
    private var named: [Named] = []
    /// For each state, what the doubts that need it leave.
    private var replacements: [[KeyState]]

    init(_ puzzle: KeyPuzzle) {
        replacements = [[KeyState]](repeating: [], count: puzzle.stateCount)
    }

    mutating func add(_ doubt: Doubt) {
        switch doubt {
        case .delete: limit.deletes += 1
        case .put(.unseen): limit.puts += 1
        case .create(.unseen): limit.creations += 1
        case .put(let state): named.append(Named(state: state, needsAbsence: false))
        case .create(let state): named.append(Named(state: state, needsAbsence: true))
        case .replace(let old, let then): replacements[Int(old.rawValue)].append(then)
        }
    }

    /// Calls `body` with each configuration to which one doubt leads.
    func forEachNext(after configuration: Configuration, _ body: (Configuration) -> Void) {
        let (state, spent) = (configuration.place.state, configuration.spent)
        func next(_ state: KeyState, _ spent: Spent) {
            var next = configuration
            next.place.state = state
            next.spent = spent
            body(next)
        }
        if state != .absent, spent.deletes < limit.deletes {
            var spent = spent
            spent.deletes += 1
            next(.absent, spent)
        }
        if spent.puts < limit.puts {
            var spent = spent
            spent.puts += 1
            next(.unseen, spent)
        }
        if state == .absent, spent.creations < limit.creations {
            var spent = spent
            spent.creations += 1
            next(.unseen, spent)
        }
        for one in named where state == .absent || !one.needsAbsence {
            if !spent.named.contains(one.state) { next(one.state, spent.adding(one.state)) }
        }
        for then in replacements[Int(state.rawValue)] { next(then, spent) }
    }
}
