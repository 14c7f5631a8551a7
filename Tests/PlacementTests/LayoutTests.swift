import Core
import Testing

@testable import Placement

/// The promises of ``Layout``, one by one.
struct LayoutTests {
    @Test(arguments: [3, 5, 10, 47, 100])
    func `copies are on distinct nodes and nodes are loaded alike`(count: Int) {
        let nodes = LayoutFixture.nodes(0..<count)
        let lists = Layout.target(current: LayoutFixture.nothing, nodes: nodes, replicas: 3)
        #expect(lists.allSatisfy { $0.count == 3 && Set($0).count == 3 })
        let share = LayoutFixture.count * 3 / count
        for node in nodes {
            let load = LayoutFixture.loads(lists)[node.id, default: 0]
            #expect(abs(load - share) <= max(2, share / 50))
        }
    }

    @Test func `fewer nodes than copies take one copy each`() {
        for count in 0...3 {
            let lists = Layout.target(
                current: LayoutFixture.nothing, nodes: LayoutFixture.nodes(0..<count), replicas: 3)
            #expect(lists.allSatisfy { Set($0).count == count })
        }
    }

    @Test(arguments: [2, 3, 4, 7])
    func `copies are spread over as many zones as there are`(zoneCount: Int) {
        let nodes = LayoutFixture.nodes(0..<20, zoneCount: zoneCount)
        let zone = Dictionary(uniqueKeysWithValues: nodes.map { ($0.id, $0.zone) })
        for replicas in 1...5 {
            let lists = Layout.target(
                current: LayoutFixture.nothing, nodes: nodes, replicas: replicas)
            for list in lists {
                let zones = list.reduce(into: [:]) { $0[zone[$1], default: 0] += 1 }
                #expect(zones.count == min(zoneCount, replicas))
                #expect((zones.values.max() ?? 0) <= (replicas + zoneCount - 1) / zoneCount)
            }
        }
    }

    @Test func `nodes are loaded by capacity`() {
        let small = LayoutFixture.nodes(0..<10, capacityBytes: 100 << 30)
        let large = LayoutFixture.nodes(10..<20, capacityBytes: 300 << 30)
        let lists = Layout.target(
            current: LayoutFixture.nothing, nodes: small + large, replicas: 3)
        let loads = LayoutFixture.loads(lists)
        let unit = LayoutFixture.count * 3 / 40
        for node in small { #expect(abs(loads[node.id, default: 0] - unit) <= unit / 20) }
        for node in large { #expect(abs(loads[node.id, default: 0] - 3 * unit) <= unit / 10) }
    }

    @Test func `the only node of a zone is not handed a copy of everything`() {
        var nodes = LayoutFixture.nodes(0..<10, zoneCount: 2)
        nodes.append(LayoutNode(id: LayoutFixture.id(99), zone: "new", capacityBytes: 100 << 30))
        let lists = Layout.target(current: LayoutFixture.nothing, nodes: nodes, replicas: 3)
        let load = LayoutFixture.loads(lists)[LayoutFixture.id(99), default: 0]
        let fair = LayoutFixture.count * 3 / 11
        #expect(load > fair)
        #expect(load <= fair * PlacementLimits.overloadFactor + 2)
        // Five nodes in three zones, as the smallest clusters are, still spread over all three.
        let five = LayoutFixture.nodes(0..<5, zoneCount: 3)
        let zone = Dictionary(uniqueKeysWithValues: five.map { ($0.id, $0.zone) })
        let small = Layout.target(current: LayoutFixture.nothing, nodes: five, replicas: 3)
        #expect(small.allSatisfy { Set($0.map { zone[$0] }).count == 3 })
    }

    @Test(arguments: [(3, 1), (4, 1), (5, 1), (9, 3), (20, 1), (31, 4), (99, 1), (99, 3)])
    func `one more node takes its share and nothing else moves`(count: Int, zoneCount: Int) {
        let before = Layout.target(
            current: LayoutFixture.nothing,
            nodes: LayoutFixture.nodes(0..<count, zoneCount: zoneCount), replicas: 3)
        let after = Layout.target(
            current: before, nodes: LayoutFixture.nodes(0...count, zoneCount: zoneCount),
            replicas: 3)
        let total = LayoutFixture.count * 3
        let moved = LayoutFixture.moved(from: before, to: after)
        let gained = LayoutFixture.loads(after)[LayoutFixture.id(count), default: 0]
        // In whole zones the new node shares with its zone alone, which may be a little more.
        #expect(Double(moved) <= Double(total) / Double(count + 1) * 1.05 + 8)
        #expect(Double(gained) >= Double(total) / Double(count + 1) * 0.7)
        #expect(moved <= gained + max(4, gained / 20), "moved \(moved), gained \(gained)")
    }

    @Test(arguments: [(4, 1), (5, 1), (10, 3), (20, 1), (31, 4), (100, 1), (100, 3)])
    func `a removed node's replicas move and nothing else does`(count: Int, zoneCount: Int) {
        let before = Layout.target(
            current: LayoutFixture.nothing,
            nodes: LayoutFixture.nodes(0..<count, zoneCount: zoneCount), replicas: 3)
        let after = Layout.target(
            current: before, nodes: LayoutFixture.nodes(1..<count, zoneCount: zoneCount),
            replicas: 3)
        let lost = LayoutFixture.loads(before)[LayoutFixture.id(0), default: 0]
        let moved = LayoutFixture.moved(from: before, to: after)
        #expect(moved >= lost)
        #expect(moved <= lost + max(2, lost / 20), "moved \(moved), lost \(lost)")
    }

    @Test func `nothing changes where nothing changed`() {
        let nodes = LayoutFixture.nodes(0..<17, zoneCount: 3)
        let lists = Layout.target(current: LayoutFixture.nothing, nodes: nodes, replicas: 3)
        #expect(Layout.target(current: lists, nodes: nodes, replicas: 3) == lists)
        // Nor for disks that report a little more or less than they did.
        let wobbling = nodes.enumerated().map { number, node in
            LayoutNode(
                id: node.id, zone: node.zone,
                capacityBytes: node.capacityBytes + UInt64(number % 3) << 28)
        }
        let again = Layout.target(current: lists, nodes: wobbling, replicas: 3)
        #expect(LayoutFixture.moved(from: lists, to: again) == 0)
    }

    @Test func `the order in which nodes are named does not matter`() {
        let nodes = LayoutFixture.nodes(0..<23, zoneCount: 3)
        var random = SeededRandom(seed: 1)
        let lists = Layout.target(current: LayoutFixture.nothing, nodes: nodes, replicas: 3)
        for _ in 0..<3 {
            let shuffled = Layout.target(
                current: LayoutFixture.nothing, nodes: nodes.shuffled(using: &random), replicas: 3)
            #expect(shuffled == lists)
        }
    }

    @Test(arguments: [(5, 1), (9, 3), (40, 3), (100, 1)])
    func `every node is first in its share of lists, after changes too`(
        count: Int, zoneCount: Int
    ) {
        var lists = LayoutFixture.nothing
        for last in [count, count + 1, count + 2, count] {
            lists = Layout.target(
                current: lists, nodes: LayoutFixture.nodes(0..<last, zoneCount: zoneCount),
                replicas: 3)
            let loads = LayoutFixture.loads(lists)
            for (node, firsts) in LayoutFixture.firsts(lists) {
                let share = loads[node, default: 0] / 3
                #expect(abs(firsts - share) <= max(2, share / 25))
            }
        }
    }

    @Test func `a lost node's partners are many`() {
        let lists = Layout.target(
            current: LayoutFixture.nothing, nodes: LayoutFixture.nodes(0..<30), replicas: 3)
        let lost = LayoutFixture.id(4)
        let partners = Set(lists.filter { $0.contains(lost) }.joined()).subtracting([lost])
        #expect(partners.count == 29)
    }

    @Test func `the limits agree with each other`() { PlacementLimits.check() }
}
