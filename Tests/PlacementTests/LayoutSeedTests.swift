import Core
import Testing

@testable import Placement

/// Whatever comes and goes, the rules hold.
struct LayoutSeedTests {
    @Test(arguments: 0..<30 as Range<UInt64>)
    func `the rules hold through random changes`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let zoneCount = Int.random(in: 1...5, using: &random)
        let replicas = Int.random(in: 1...5, using: &random)
        var nodes: [LayoutNode] = []
        var lists = [[NodeID]](repeating: [], count: 200)
        for step in 0..<12 {
            for _ in 0..<Int.random(in: 0...3, using: &random) {
                nodes.append(
                    LayoutNode(
                        id: .random(using: &random),
                        zone: "z\(Int.random(in: 0..<zoneCount, using: &random))",
                        capacityBytes: .random(in: 0...(1 << 41), using: &random)))
            }
            if !nodes.isEmpty, Bool.random(using: &random) {
                nodes.remove(at: Int.random(in: 0..<nodes.count, using: &random))
            }
            let before = lists
            lists = Layout.target(current: before, nodes: nodes, replicas: replicas)
            check(lists, nodes: nodes, replicas: replicas, "seed \(seed) step \(step)")
            let again = Layout.target(current: lists, nodes: nodes, replicas: replicas)
            #expect(again == lists, "seed \(seed) step \(step): not settled")
        }
    }

    private func check(
        _ lists: [[NodeID]], nodes: [LayoutNode], replicas: Int, _ comment: Comment
    ) {
        let ids = Set(nodes.map(\.id))
        for list in lists {
            #expect(Set(list).count == min(replicas, nodes.count), comment)
            #expect(list.allSatisfy { ids.contains($0) }, comment)
        }
        guard !nodes.isEmpty else { return }
        let solver = LayoutSolver(current: lists, nodes: nodes, replicas: replicas)
        for (node, quota) in solver.quota.enumerated() {
            let slack = max(1, quota * PlacementLimits.slackPercent / 100)
            #expect(abs(solver.load[node] - quota) <= slack, comment)
        }
        for partition in lists.indices {
            for zone in solver.zoneUpper.indices {
                let count = solver.holderCount(of: partition, zone: zone)
                #expect(count <= solver.zoneUpper[zone], comment)
                #expect(count >= solver.zoneLower[zone], comment)
            }
        }
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func `shares sum up, stay in bounds and near the exact share`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let count = Int.random(in: 1...20, using: &random)
        let weights = (0..<count).map { _ in Int.random(in: 1...1000, using: &random) }
        let lower = (0..<count).map { _ in Int.random(in: 0...50, using: &random) }
        let upper = lower.map { $0 + Int.random(in: 0...100, using: &random) }
        let total = Int.random(
            in: lower.reduce(0, +)...upper.reduce(0, +), using: &random)
        let shares = Quota.shares(
            of: total, weights: weights, lower: lower, upper: upper,
            held: [Int](repeating: 0, count: count))
        #expect(shares.reduce(0, +) == total)
        // Fair: nobody with room has less, by weight, than somebody above his lower bound.
        for left in 0..<count where shares[left] < upper[left] {
            for right in 0..<count where shares[right] > lower[right] {
                #expect(
                    (shares[left] + 1) * weights[right] > (shares[right] - 1) * weights[left])
            }
        }
        #expect(zip(shares, lower).allSatisfy { $0 >= $1 })
        #expect(zip(shares, upper).allSatisfy { $0 <= $1 })
    }
}
