import Core

/// A kind of bad time, and the work that goes on meanwhile.
package struct Scenario: Sendable {
    package var name: String
    /// What it is for, in a line.
    package var purpose: String
    /// How often each sort strikes, among all.
    package var disasters: [(sort: Disaster.Sort, weight: Int)]
    /// Milliseconds between two disasters, at most; drawn for each world from the range.
    package var pauses: ClosedRange<UInt64> = 1_000...10_000
    /// Milliseconds that a node is down, at most; drawn likewise.
    package var downs: ClosedRange<UInt64> = 1_000...20_000
    package var coordinatorsDownMax = 1
    package var storageDownMax = 1
    /// Pieces on the network that are late, one in so many; drawn, in half of the worlds; `nil` for
    /// none.
    package var lateOneIn: ClosedRange<Int>? = 20...500
    /// Every read must be answered, whatever goes wrong: enough copies are there all the time.
    package var demandsReads = false
    /// Nodes begin their life with trouble already there, so that forming is part of it.
    package var troublesFormation = false
    /// Seconds of trouble.
    package var seconds: UInt64 = 60
    package var clients = ClientSettings()
    /// The cluster's size and timers.
    package var settings = ClusterWorld.Settings()

    /// Whether copies may be missing before anybody notices: a disk is lost, or rots.
    var losesCopies: Bool {
        disasters.contains { sort, _ in
            switch sort {
            case .rot, .wipe, .replaceNext, .lose: true
            default: false
            }
        }
    }

    /// What clients do.
    package struct ClientSettings: Sendable {
        package var count = 6
        package var keys = 6
        /// Milliseconds of one client between two operations, at most.
        package var pauseMax = 400
        package var sizes = [40, 3_000, 20_000, 200_000]
    }

    package init(
        _ name: String, _ purpose: String, _ disasters: [(sort: Disaster.Sort, weight: Int)],
        _ change: (inout Scenario) -> Void = { _ in }
    ) {
        self.name = name
        self.purpose = purpose
        self.disasters = disasters
        change(&self)
    }

    // MARK: Planning

    /// What happens in the world of `seed`, in order. Drawn from random numbers of its own, so that
    /// leaving out a disaster changes none of the others.
    package func plan(seed: UInt64, milliseconds: UInt64) -> [Disaster] {
        var random = SeededRandom(seed: seed ^ 0x6469_7361_7374_6572)
        var plan = ScenarioPlan(self, using: &random)
        return plan.draw(until: milliseconds, using: &random)
    }
}
