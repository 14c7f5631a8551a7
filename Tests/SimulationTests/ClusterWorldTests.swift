import Core
import Foundation
import Testing

@testable import Simulation

/// Whole clusters. Many more seeds: `dstnode simulate cluster`.
@Suite(.serialized) struct ClusterWorldTests {
    private func trial(_ scenario: String, _ seed: UInt64) throws -> WorldTrial {
        WorldTrial(seed: seed, try #require(Scenario.named(scenario)), milliseconds: 10_000)
    }

    @Test(arguments: ["mixed", "power"])
    func `a cluster goes through trouble, and its clients notice nothing wrong`(
        scenario: String
    ) throws {
        let report = try trial(scenario, 3).play()
        #expect(report.operationCount > 100, "\(report)")
        #expect(report.disasterCount > 1, "\(report)")
    }

    @Test func `the same seed does the same to the last step`() throws {
        let first = try trial("mixed", 5).play()
        let second = try trial("mixed", 5).play()
        #expect("\(first)" == "\(second)")
    }

    @Test func `disasters are left out without a change to the others`() throws {
        var trial = WorldTrial(
            seed: 7, try #require(Scenario.named("mixed")), milliseconds: 600_000)
        let all = trial.plan
        try #require(all.count > 2)
        trial.keep([0, 2])
        #expect(trial.plan.map(\.number) == [0, 2])
        #expect(trial.plan.map { "\($0)" } == [all[0], all[2]].map { "\($0)" })
    }

    @Test func `each scenario has a name of its own and plans what it says`() {
        #expect(Set(Scenario.all.map(\.name)).count == Scenario.all.count)
        for scenario in Scenario.all where !scenario.disasters.isEmpty {
            #expect(!scenario.plan(seed: 1, milliseconds: 600_000).isEmpty, "\(scenario.name)")
        }
    }
}
