import Core
import Testing

@testable import Placement

/// ``ClusterMap`` keeps what it is told.
struct ClusterMapTests {
    private func node(_ number: Int, _ membership: NodeMembership = .member) -> ClusterNode {
        ClusterNode(
            id: LayoutFixture.id(number), label: "s\(number)", role: .storage,
            address: "10.0.0.\(number):9000", zone: "z", capacityBytes: 1 << 40,
            membership: membership, version: "1")
    }

    @Test func `places are found by partition and by node`() {
        var map = ClusterMap()
        let ids = (0..<4).map { LayoutFixture.id($0) }
        let partition = PartitionID(rawValue: 4095)!
        #expect(map.nodes(of: partition).isEmpty)
        let place = PartitionPlace(nodes: [ids[2], ids[0]], next: [ids[3]])
        #expect(map.set(partition, to: place) == true)
        #expect(map.nodes(of: partition) == [ids[2], ids[0]])
        #expect(map.next(of: partition) == [ids[3]])
        #expect(map.isMoving(partition))
        #expect(map.partitions(of: ids[3]) == [partition])
        #expect(map.partitions(of: ids[1]).isEmpty)
        #expect(!map.isMoving(PartitionID(rawValue: 0)!))
    }

    @Test func `maps are equal by content, not by history`() {
        let partition = PartitionID(rawValue: 1)!
        var left = ClusterMap()
        var right = ClusterMap()
        let first = PartitionPlace(nodes: [LayoutFixture.id(9)])
        #expect(left.set(partition, to: first) == true)
        for map in [1, 2] {
            let place = PartitionPlace(nodes: [LayoutFixture.id(1), LayoutFixture.id(map)])
            if map == 1 { #expect(left.set(partition, to: place) == true) }
        }
        let placed = left.partitionPlaces[1]
        #expect(right.set(partition, to: placed) == true)
        #expect(left == right)
        right.set(epoch: Epoch(rawValue: 2))
        #expect(left != right)
    }

    @Test func `the layout uses members, and draining copies still count`() {
        var map = ClusterMap()
        map.set(node(1))
        map.set(node(2, .draining))
        map.set(node(3, .lost))
        map.set(node(4, .left))
        #expect(map.layoutNodes.map(\.id) == [LayoutFixture.id(1)])
        #expect(map.livingStorage == [LayoutFixture.id(1), LayoutFixture.id(2)])
        #expect(map.node(LayoutFixture.id(3))?.membership == .lost)
    }
}
