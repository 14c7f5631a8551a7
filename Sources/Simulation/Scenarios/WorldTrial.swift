import Core

/// A seed, a scenario and the disasters of it that are to happen: all that a world depends on.
package struct WorldTrial: Sendable {
    package let seed: UInt64
    package var scenario: Scenario
    package private(set) var plan: [Disaster]
    private let milliseconds: UInt64

    /// - Parameter milliseconds: Of trouble; `nil`: as many as the scenario wants.
    package init(seed: UInt64, _ scenario: Scenario, milliseconds: UInt64? = nil) {
        self.seed = seed
        self.scenario = scenario
        self.milliseconds = milliseconds ?? scenario.seconds * 1_000
        plan = scenario.plan(seed: seed, milliseconds: self.milliseconds)
    }

    /// Leaves out all other disasters.
    package mutating func keep(_ numbers: Set<Int>) {
        plan.removeAll { !numbers.contains($0.number) }
    }

    /// - Throws: ``WorldViolation``, or why the world could not be played.
    package func play() throws -> WorldReport {
        let world = ClusterWorld(seed: seed, scenario)
        defer { world.end() }
        return try world.live(plan, troubleFor: milliseconds)
    }
}

/// Looks for fewer disasters with which a trial still fails: halves, quarters and so on are left
/// out as long as that helps (delta debugging, Zeller and Hildebrandt 2002).
package struct TrialShrinking {
    private static let attemptsMax = 60

    package private(set) var smallest: WorldTrial
    /// What breaks in it.
    package private(set) var violation: WorldViolation
    private var attempts = 0

    package init(_ trial: WorldTrial, _ violation: WorldViolation) {
        smallest = trial
        self.violation = violation
    }

    /// - Throws: Why a world could not be played.
    package mutating func run(progress: (String) -> Void) throws {
        var chunk = (smallest.plan.count + 1) / 2
        while chunk >= 1, attempts < Self.attemptsMax, !smallest.plan.isEmpty {
            var start = 0
            var isSmaller = false
            while start < smallest.plan.count, attempts < Self.attemptsMax {
                progress("attempt \(attempts) at fewer disasters: \(smallest.plan.count)")
                if try fails(without: start..<min(start + chunk, smallest.plan.count)) {
                    isSmaller = true
                } else {
                    start += chunk
                }
            }
            if chunk == 1, !isSmaller { return }
            chunk = max(1, chunk / 2)
        }
    }

    private mutating func fails(without left: Range<Int>) throws -> Bool {
        attempts += 1
        var trial = smallest
        let kept = smallest.plan.indices.filter { !left.contains($0) }
        trial.keep(Set(kept.map { smallest.plan[$0].number }))
        do {
            _ = try trial.play()
            return false
        } catch let found as WorldViolation {
            smallest = trial
            violation = found
            return true
        }
    }
}
