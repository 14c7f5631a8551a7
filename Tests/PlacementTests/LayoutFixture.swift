import Core

@testable import Placement

/// Nodes by number, and what the tests measure of a layout.
enum LayoutFixture {
    static func id(_ number: Int) -> NodeID {
        // Scattered, as random ids are.
        var random = SeededRandom(seed: UInt64(number))
        return NodeID.random(using: &random)
    }

    static func nodes(
        _ numbers: some Sequence<Int>, zoneCount: Int = 1, capacityBytes: UInt64 = 100 << 30
    ) -> [LayoutNode] {
        numbers.map {
            LayoutNode(id: id($0), zone: "z\($0 % zoneCount)", capacityBytes: capacityBytes)
        }
    }

    /// A quarter of the real number: tests run unoptimised.
    static let count = PartitionID.count / 4
    static let nothing = [[NodeID]](repeating: [], count: count)

    static func loads(_ lists: [[NodeID]]) -> [NodeID: Int] {
        lists.joined().reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    static func firsts(_ lists: [[NodeID]]) -> [NodeID: Int] {
        lists.compactMap(\.first).reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    /// Replicas that `after` puts where `before` had none.
    static func moved(from before: [[NodeID]], to after: [[NodeID]]) -> Int {
        zip(before, after).reduce(0) { $0 + Set($1.1).subtracting($1.0).count }
    }
}
