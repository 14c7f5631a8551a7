import ClusterView
import Core
import Messages
import StorageNode
import Testing

@Suite struct WriteGateTests {
    private let me = NodeID(high: 0, low: 1)
    private let other = NodeID(high: 0, low: 2)
    private let partition = PartitionID(rawValue: 7)!

    private func map(
        epoch: UInt64, nodes: [NodeID], next: [NodeID] = []
    ) -> ClusterState {
        var state = ClusterState()
        let isTaken = state.apply(
            .with {
                $0.revision = epoch
                $0.epoch = epoch
                $0.partitions = [
                    .with {
                        $0.partition = 7
                        $0.nodes = nodes.map(\.data)
                        $0.next = next.map(\.data)
                    }
                ]
            })
        precondition(isTaken)
        return state
    }

    @Test func `a partition that is here and stays takes writes`() {
        let gate = WriteGate(me: me)
        gate.take(map(epoch: 5, nodes: [other, me]))
        #expect(gate.begin(partition, writerEpoch: Epoch(rawValue: 5)) == .admitted)
        #expect(gate.begin(partition, writerEpoch: Epoch(rawValue: 4)) == .admitted)
        #expect(gate.underWayCount == 2)
    }

    @Test func `one that moves, or is elsewhere, does not`() {
        let gate = WriteGate(me: me)
        gate.take(map(epoch: 5, nodes: [me], next: [other]))
        #expect(gate.begin(partition, writerEpoch: Epoch(rawValue: 5)) == .refused)
        gate.take(map(epoch: 6, nodes: [other]))
        #expect(gate.begin(partition, writerEpoch: Epoch(rawValue: 6)) == .refused)
    }

    @Test func `a writer with a newer map is waited for`() {
        let gate = WriteGate(me: me)
        gate.take(map(epoch: 5, nodes: [other]))
        #expect(gate.begin(partition, writerEpoch: Epoch(rawValue: 6)) == .behind)
        gate.take(map(epoch: 6, nodes: [me]))
        #expect(gate.begin(partition, writerEpoch: Epoch(rawValue: 6)) == .admitted)
    }

    @Test func `a list for a move waits for its epoch and for the writes before it`() async {
        let gate = WriteGate(me: me)
        gate.take(map(epoch: 5, nodes: [me]))
        #expect(gate.begin(partition, writerEpoch: Epoch(rawValue: 5)) == .admitted)
        async let isFenced = gate.fence(
            partition, at: Epoch(rawValue: 6), atMost: .seconds(60))
        gate.take(map(epoch: 6, nodes: [me], next: [other]))
        let isEarly = await gate.fence(
            partition, at: Epoch(rawValue: 6), atMost: .milliseconds(30))
        #expect(!isEarly)
        gate.end(partition)
        #expect(await isFenced)
    }

    @Test func `after stop nothing new is admitted, and what began may end`() async {
        let gate = WriteGate(me: me)
        gate.take(map(epoch: 5, nodes: [me]))
        #expect(gate.begin(partition, writerEpoch: Epoch(rawValue: 5)) == .admitted)
        gate.stop()
        #expect(gate.begin(partition, writerEpoch: Epoch(rawValue: 5)) == .stopping)
        async let isDrained = gate.drained(atMost: .seconds(60))
        gate.end(partition)
        #expect(await isDrained)
    }

    @Test func `ending a write twice is a bug`() async {
        await #expect(processExitsWith: .failure) {
            let gate = WriteGate(me: NodeID(high: 0, low: 1))
            gate.end(PartitionID(rawValue: 7)!)
        }
    }

    @Test func `the limits agree with each other`() { StorageNodeLimits.check() }
}
