import Coordinator
import Core
import Testing

@Suite struct VoterPlanTests {
    private func node(_ number: UInt64) -> NodeID { NodeID(high: 0, low: number) }

    private func plan(
        voters: [UInt64], learners: [UInt64: Bool] = [:], healthy: [UInt64],
        silent: [UInt64] = [], lost: [UInt64] = [], left: [UInt64] = []
    ) -> VoterPlan.Step {
        var coordinators: [NodeID: VoterPlan.Health] = [:]
        for number in healthy { coordinators[node(number)] = .healthy }
        for number in silent { coordinators[node(number)] = .silent }
        for number in lost { coordinators[node(number)] = .lost }
        for number in left { coordinators[node(number)] = .left }
        return VoterPlan(
            voters: voters.map(node),
            learners: Dictionary(uniqueKeysWithValues: learners.map { (node($0), $1) }),
            coordinators: coordinators
        ).next
    }

    @Test func `three healthy voters stay as they are`() {
        #expect(plan(voters: [1, 2, 3], healthy: [1, 2, 3]) == .none)
    }

    @Test func `a fourth coordinator stands by, a fifth makes five voters`() {
        #expect(plan(voters: [1, 2, 3], healthy: [1, 2, 3, 4]) == .none)
        #expect(plan(voters: [1, 2, 3], healthy: [1, 2, 3, 4, 5]) == .addLearner(node(4)))
        #expect(
            plan(voters: [1, 2, 3], learners: [4: false], healthy: [1, 2, 3, 4, 5]) == .none)
        #expect(
            plan(voters: [1, 2, 3], learners: [4: true], healthy: [1, 2, 3, 4, 5])
                == .promote(node(4)))
        #expect(plan(voters: [1, 2, 3, 4], healthy: [1, 2, 3, 4, 5]) == .addLearner(node(5)))
    }

    @Test func `a silent voter is waited for`() {
        #expect(plan(voters: [1, 2, 3], healthy: [1, 2, 4], silent: [3]) == .none)
    }

    @Test func `a lost voter goes when its replacement has caught up, which votes after that`() {
        #expect(
            plan(voters: [1, 2, 3], healthy: [1, 2, 4], lost: [3]) == .addLearner(node(4)))
        #expect(
            plan(voters: [1, 2, 3], learners: [4: false], healthy: [1, 2, 4], lost: [3]) == .none)
        #expect(
            plan(voters: [1, 2, 3], learners: [4: true], healthy: [1, 2, 4], lost: [3])
                == .remove(node(3)))
        #expect(
            plan(voters: [1, 2], learners: [4: true], healthy: [1, 2, 4], lost: [3])
                == .promote(node(4)))
    }

    /// Found by `simulate cluster --scenario lost-coordinator --seed 7`: four voters, two of them
    /// lost with their disks, elect nobody ever again.
    @Test func `a replacement that is lost as well leaves a group that goes on`() {
        // At each step of a replacement the newcomer is lost: two voters of at most three remain.
        #expect(
            plan(voters: [1, 2, 3], learners: [4: true], healthy: [1, 2, 5], lost: [3, 4])
                == .remove(node(4)))
        #expect(
            plan(voters: [1, 2], learners: [4: true], healthy: [1, 2, 5], lost: [3, 4])
                == .remove(node(4)))
        #expect(plan(voters: [1, 2], healthy: [1, 2, 5], lost: [3, 4]) == .addLearner(node(5)))
        #expect(
            plan(voters: [1, 2, 4], healthy: [1, 2, 5], lost: [3, 4]) == .addLearner(node(5)))
    }

    @Test func `without a replacement a lost voter of three stays`() {
        // It may come back with its log; two voters would need both, as now.
        #expect(plan(voters: [1, 2, 3], healthy: [1, 2], lost: [3]) == .none)
    }

    @Test func `a voter that an operator has removed goes at once`() {
        #expect(plan(voters: [1, 2, 3], healthy: [1, 2], left: [3]) == .remove(node(3)))
        #expect(plan(voters: [1, 2, 3], healthy: [1], silent: [2], left: [3]) == .none)
    }

    @Test func `without a healthy majority nothing is changed`() {
        #expect(plan(voters: [1, 2, 3], healthy: [1, 4], silent: [2], lost: [3]) == .none)
        #expect(plan(voters: [1, 2, 3], healthy: [1, 4, 5], lost: [2, 3]) == .none)
    }
}
