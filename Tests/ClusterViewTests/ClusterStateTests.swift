import ClusterView
import Core
import Foundation
import Messages
import Testing

@Suite struct ClusterStateTests {
    private let node = NodeID(high: 0, low: 1)

    private func changes(_ revision: UInt64, _ fill: (inout ProtoChanges) -> Void) -> ProtoChanges {
        var changes = ProtoChanges()
        changes.revision = revision
        fill(&changes)
        return changes
    }

    @Test func `changes add up`() {
        var state = ClusterState()
        let isTaken = state.apply(
            changes(3) {
                $0.epoch = 7
                $0.settings.replicationFactor = 3
                $0.nodes = [
                    .with {
                        $0.id = node.data
                        $0.role = .storage
                        $0.address = "a:1"
                    }
                ]
                $0.partitions = [
                    .with {
                        $0.partition = 5
                        $0.nodes = [node.data]
                    }
                ]
                $0.buckets = [
                    .with {
                        $0.id = 1
                        $0.name = "one"
                    }
                ]
            })
        #expect(isTaken)
        #expect(state.apply(changes(4) { $0.deletedBuckets = [1] }) == true)
        #expect(state.revision == 4)
        #expect(state.epoch == Epoch(rawValue: 7))
        #expect(state.replicationFactor == 3)
        #expect(state.nodes[node]?.address == "a:1")
        #expect(state.partitions[5].nodes == [node])
        #expect(state.bucketsByName.isEmpty)
    }

    private func told(
        _ state: ProtoNodeState, isHeard: Bool, free: UInt64 = 0, refuses: Bool = false
    ) -> ProtoNodeLiveness {
        .with {
            $0.node = node.data
            $0.state = state
            $0.freeBytes = free
            $0.refusesWrites = refuses
            $0.isHeard = isHeard
        }
    }

    /// A gap here would be a second of refused writes after every election.
    @Test func `what is known of a node holds until the new leader has heard it`() {
        var state = ClusterState()
        state.apply([told(.up, isHeard: false)])
        #expect(state.liveness[node]?.refusesWrites == true)
        state.apply([told(.up, isHeard: true, free: 9)])
        state.apply([told(.up, isHeard: false)])
        #expect(state.liveness[node]?.refusesWrites == false)
        #expect(state.liveness[node]?.freeBytes == 9)
        state.apply([told(.suspect, isHeard: false)])
        #expect(state.liveness[node]?.state == .suspect)
        state.apply([told(.up, isHeard: true, free: 8, refuses: true)])
        #expect(state.liveness[node]?.refusesWrites == true)
        state.apply([told(.stopped, isHeard: true, free: 8)])
        state.apply([told(.up, isHeard: false)])
        #expect(state.liveness[node]?.state == .stopped)
        state.apply([])
        #expect(state.liveness[node] == nil)
    }

    @Test func `a full state replaces what was there`() {
        var state = ClusterState()
        #expect(
            state.apply(
                changes(3) {
                    $0.buckets = [
                        .with {
                            $0.id = 1
                            $0.name = "one"
                        }
                    ]
                }) == true)
        #expect(state.apply(changes(9) { $0.isFull = true }) == true)
        #expect(state.bucketsByName.isEmpty)
        #expect(state.revision == 9)
    }

    @Test func `what cannot be understood is refused`() {
        var state = ClusterState()
        #expect(
            state.apply(changes(1) { $0.partitions = [.with { $0.partition = 4096 }] }) == false)
        #expect(state.apply(changes(1) { $0.nodes = [ProtoNode()] }) == false)
    }

    @Test func `a key belongs to the last range that starts at or before it`() {
        var state = ClusterState()
        #expect(state.range(of: BucketID(rawValue: 9)) == nil)
        let bounds: [(range: UInt32, bucket: UInt64, key: [UInt8])] = [
            (1, 0, []), (3, 100, Array("m".utf8)), (2, 100, []),
        ]
        #expect(
            state.apply(
                changes(1) {
                    $0.ranges = bounds.map { bound in
                        .with {
                            $0.range = bound.range
                            $0.startBucket = bound.bucket
                            $0.startKey = Data(bound.key)
                        }
                    }
                }) == true)
        func range(_ bucket: UInt64, _ key: String = "") -> UInt32? {
            state.range(of: BucketID(rawValue: bucket), key: Array(key.utf8))?.rawValue
        }
        #expect(range(0) == 1)
        #expect(range(99, "zzz") == 1)
        #expect(range(100) == 2)
        #expect(range(100, "lz") == 2)
        #expect(range(100, "m") == 3)
        #expect(range(101) == 3)
    }

    @Test func `the limits agree with each other`() { ClusterViewLimits.check() }
}

@Suite struct LeaderSearchTests {
    private let nodes = (1...3).map { NodeID(high: 0, low: $0) }

    @Test func `the hint first, then each other once, then a pause`() {
        var search = LeaderSearch(hint: nodes[1])
        var order: [NodeID] = []
        while let node = search.next(among: nodes) {
            order.append(node)
            search.failed(node)
        }
        #expect(order == [nodes[1], nodes[0], nodes[2]])
        var random = SeededRandom(seed: 1)
        let pause = search.roundEnded(using: &random)
        #expect(pause > 0)
        #expect(search.next(among: nodes) == nodes[0])
    }

    @Test func `a redirection is followed at once`() {
        var search = LeaderSearch(hint: nil)
        #expect(search.next(among: nodes) == nodes[0])
        search.redirected(from: nodes[0], to: nodes[2])
        #expect(search.next(among: nodes) == nodes[2])
    }

    @Test func `two that point at each other do not keep the caller going round`() {
        var search = LeaderSearch(hint: nil)
        var tries = 0
        while let node = search.next(among: nodes), tries < 100 {
            tries += 1
            search.redirected(from: node, to: node == nodes[0] ? nodes[1] : nodes[0])
        }
        #expect(tries < 10)
    }
}
