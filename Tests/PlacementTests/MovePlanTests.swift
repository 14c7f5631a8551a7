import Core
import Testing

@testable import Placement

/// ``MovePlan``: what begins now, and what must not.
struct MovePlanTests {
    private let a = LayoutFixture.id(1)
    private let b = LayoutFixture.id(2)
    private let c = LayoutFixture.id(3)
    private let d = LayoutFixture.id(4)
    private let e = LayoutFixture.id(5)

    private func plan(
        _ places: [PartitionPlace], _ target: [[NodeID]], lost: Set<NodeID> = [],
        movesMax: Int = 10, receivesMax: Int = 10
    ) -> MovePlan {
        MovePlan(
            places: places, target: target, living: Set([a, b, c, d, e]).subtracting(lost),
            lost: lost, replicas: 3,
            limits: MoveLimits(movesMax: movesMax, receivesPerNodeMax: receivesMax))
    }

    private func step(_ number: UInt16, _ nodes: [NodeID]) -> MovePlan.Step {
        MovePlan.Step(partition: PartitionID(rawValue: number)!, nodes: nodes)
    }

    @Test func `a new cluster is assigned at once`() {
        let plan = plan([PartitionPlace(nodes: [])], [[a, b, c]], movesMax: 0)
        #expect(plan.assign == [step(0, [a, b, c])])
    }

    @Test func `the fewest living copies go first`() {
        let places = [[a, b, c], [a, d, e], [b, d, e]].map { PartitionPlace(nodes: $0) }
        let target = [[a, b, e], [a, b, c], [b, a, c]]
        #expect(
            plan(places, target, lost: [d, e], movesMax: 2).begin == [
                step(1, [a, b, c]), step(2, [b, a, c]),
            ])
        #expect(plan(places, target, lost: [d, e], movesMax: 2).waitingCount == 1)
        #expect(plan(places, target, movesMax: 1).begin == [step(0, [a, b, e])])
    }

    @Test func `moves under way count against the limits`() {
        let places = [
            PartitionPlace(nodes: [a, b, c], next: [a, b, d]), PartitionPlace(nodes: [a, b, c]),
            PartitionPlace(nodes: [a, b, c]),
        ]
        let target = [[a, b, d], [a, b, d], [a, b, e]]
        #expect(plan(places, target, receivesMax: 1).begin == [step(2, [a, b, e])])
        #expect(plan(places, target, movesMax: 1).begin.isEmpty)
        #expect(plan(places, target, movesMax: 1).waitingCount == 2)
    }

    @Test func `a move to a lost node is cancelled`() {
        let places = [PartitionPlace(nodes: [a, b, c], next: [a, b, d])]
        let plan = plan(places, [[a, b, e]], lost: [d])
        #expect(plan.cancel == [PartitionID(rawValue: 0)!])
        #expect(plan.begin.isEmpty)
    }

    @Test func `a partition without a living copy stays as it is`() {
        let plan = plan([PartitionPlace(nodes: [c, d, e])], [[a, b]], lost: [c, d, e])
        #expect(plan.stranded == [PartitionID(rawValue: 0)!])
        #expect(plan.isEmpty)
    }

    @Test func `a living copy is not given up for want of nodes`() {
        // c drains, and there is nobody to take its copy.
        let draining = plan([PartitionPlace(nodes: [a, b, c])], [[a, b]])
        #expect(draining.begin.isEmpty)
        #expect(draining.waitingCount == 1)
    }

    /// Found by `simulate cluster --scenario lost-disk --seed 1`: the map shrank to one holder
    /// while others were cut off, and forgot them; that one's disk was lost, and with it the way to
    /// copies that were there all the time.
    @Test func `a lost holder is not forgotten for want of nodes`() {
        #expect(plan([PartitionPlace(nodes: [a, b, c])], [[a, b]], lost: [c]).isEmpty)
        #expect(plan([PartitionPlace(nodes: [a, b, c])], [[a]], lost: [b, c]).isEmpty)
        // Whoever is there takes a copy all the same.
        let one = plan([PartitionPlace(nodes: [a, b, c])], [[a, d]], lost: [b, c])
        #expect(one.begin == [step(0, [a, d, b])])
        let all = plan([PartitionPlace(nodes: [a, b, c])], [[a, d, e]], lost: [b, c])
        #expect(all.begin == [step(0, [a, d, e])])
    }

    @Test func `a holder that is lost while the partition moves does not stop the move`() {
        let places = [PartitionPlace(nodes: [a, b, c], next: [a, b, d])]
        #expect(plan(places, [[b, d]], lost: [a]).isEmpty)
    }

    @Test func `a changed order needs no copying`() {
        let plan = plan([PartitionPlace(nodes: [a, b, c])], [[b, a, c]], movesMax: 0)
        #expect(plan.reorder == [step(0, [b, a, c])])
        #expect(plan.begin.isEmpty)
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `step by step the map arrives at the target`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var nodes = LayoutFixture.nodes(0..<8, zoneCount: 3)
        var places = [PartitionPlace](repeating: PartitionPlace(nodes: []), count: 256)
        let limits = MoveLimits(movesMax: 16, receivesPerNodeMax: 4)
        for round in 0..<3 {
            if round > 0 { nodes.removeFirst() }
            nodes += LayoutFixture.nodes([100 * Int(seed) + 50 + round], zoneCount: 3)
            let living = Set(nodes.map(\.id))
            var steps = 0
            while true {
                let target = Layout.target(
                    current: MovePlan.base(of: places), nodes: nodes, replicas: 3)
                let plan = MovePlan(
                    places: places, target: target, living: living, replicas: 3, limits: limits)
                for step in plan.assign { places[Int(step.partition.rawValue)].nodes = step.nodes }
                for step in plan.reorder { places[Int(step.partition.rawValue)].nodes = step.nodes }
                for step in plan.begin { places[Int(step.partition.rawValue)].next = step.nodes }
                let moving = places.indices.filter { !places[$0].next.isEmpty }
                #expect(moving.count <= limits.movesMax)
                if plan.isEmpty, moving.isEmpty { break }
                for index in moving where Bool.random(using: &random) {
                    places[index] = PartitionPlace(nodes: places[index].next)
                }
                steps += 1
                #expect(steps < 2000, "the plan does not come to an end")
                if steps >= 2000 { return }
            }
            #expect(places.allSatisfy { $0.nodes.allSatisfy { living.contains($0) } })
            #expect(places.allSatisfy { Set($0.nodes).count == 3 })
        }
    }
}
