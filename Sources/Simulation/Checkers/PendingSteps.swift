/// The steps of a search that have begun and not yet answered, found by what they need.
struct PendingSteps {
    private let steps: [Step]
    /// For each step that is pending, its slot.
    private var slots: [Int]
    private var stepInSlot = [Int](repeating: 0, count: SlotSet.slotCount)

    private(set) var all = SlotSet()
    /// For each state, the steps that need it: all, and those that change nothing.
    private var needing: [SlotSet]
    private var reading: [SlotSet]
    /// Those that change nothing and need any object, or any but one.
    private var refused = SlotSet()
    /// For each state, how many steps that have not answered need it, pending or to come.
    private var wanted: [Int]

    init(_ puzzle: KeyPuzzle) {
        steps = puzzle.steps
        slots = [Int](repeating: 0, count: puzzle.steps.count)
        needing = [SlotSet](repeating: SlotSet(), count: puzzle.stateCount)
        reading = needing
        wanted = [Int](repeating: 0, count: puzzle.stateCount)
        for step in steps {
            if case .state(let state) = step.needs { wanted[Int(state.rawValue)] += 1 }
        }
    }

    func slot(of number: Int) -> Int { slots[number] }
    func step(in slot: Int) -> Step { steps[stepInSlot[slot]] }

    /// - Returns: `false` if more are pending than there are slots.
    mutating func begin(_ number: Int) -> Bool {
        guard let slot = all.firstFree else { return false }
        slots[number] = slot
        stepInSlot[slot] = number
        all.insert(slot)
        let step = steps[number]
        switch step.needs {
        case .anything: break
        case .state(let state):
            needing[Int(state.rawValue)].insert(slot)
            if step.leaves == nil { reading[Int(state.rawValue)].insert(slot) }
        case .other:
            refused.insert(slot)
        }
        return true
    }

    mutating func end(_ number: Int) {
        let slot = slots[number]
        all.remove(slot)
        refused.remove(slot)
        guard case .state(let state) = steps[number].needs else { return }
        needing[Int(state.rawValue)].remove(slot)
        reading[Int(state.rawValue)].remove(slot)
        wanted[Int(state.rawValue)] -= 1
    }

    /// What changes nothing and can take effect in this state.
    func pure(acceptedBy state: KeyState) -> SlotSet {
        var accepted = reading[Int(state.rawValue)]
        var others = refused
        while let slot = others.popFirst() {
            if step(in: slot).accepts(state) { accepted.insert(slot) }
        }
        return accepted
    }

    /// How many steps have yet to find this state, those aside that are `done`.
    func wantedCount(of state: KeyState, done: SlotSet) -> Int {
        wanted[Int(state.rawValue)] - needing[Int(state.rawValue)].intersection(done).count
    }
}
