import Core
import NIOCore
import Synchronization
import Testing

@testable import ObjectStore

@Suite struct FanOutTests {
    /// Nodes that answer when the test says so.
    private final class HeldDoor: ChunkDoor {
        private struct Stream: ChunkWriteStream {
            func enqueue(_ bytes: ByteBuffer, end: Bool) -> Bool { true }
            func onWritable(_ body: @escaping @Sendable () -> Void) {}
            func cancel() {}
        }
        private struct Fetch: ChunkFetch {
            func cancel() {}
        }
        private let waiting = Mutex<[@Sendable (ChunkWriteReply) -> Void]>([])

        func answer(_ reply: ChunkWriteReply) {
            for onReply in waiting.withLock({ $0 }) { onReply(reply) }
        }

        func write(
            _ request: ChunkWriteRequest, to node: NodeID,
            onReply: @escaping @Sendable (ChunkWriteReply) -> Void
        ) -> any ChunkWriteStream {
            waiting.withLock { $0.append(onReply) }
            return Stream()
        }

        func fetch(
            _ request: ChunkFetchRequest, from node: NodeID,
            onDone: @escaping @Sendable (ChunkFetchReply) -> Void
        ) -> any ChunkFetch { Fetch() }
        func discard(_ chunks: [ChunkID], on nodes: [NodeID]) {}
        func report(badCopyOf chunk: ChunkID, on node: NodeID, goodSources sources: [NodeID]) {}
    }

    @Test func `what is given up is cancelled, not lost, and no node's fault`() async throws {
        let nodes = (0..<3).map { NodeID(high: 1, low: UInt64($0)) }
        let clocks = TestClocks()
        let avoided = AvoidedNodes()
        let partition = try #require(PartitionID(rawValue: 0))
        let fanOut = ChunkFanOut(
            choice: PartitionChoice(
                partition: partition, replicas: nodes, absent: [], ackedCountMin: 2),
            clocks: clocks, avoided: avoided)
        let door = HeldDoor()
        fanOut.start(
            ChunkWriteRequest(
                chunk: ChunkID(high: 0, low: 1), sealedBytes: 1, owner: [],
                epoch: Epoch(rawValue: 1), deadline: clocks.monotonic),
            door: door)
        fanOut.cancel()
        // The nodes say so before the writer has woken up.
        door.answer(.lost("cancelled"))
        await #expect(throws: CancellationError.self) { try await fanOut.decision() }
        #expect(avoided.current(now: clocks.monotonic).isEmpty)
    }
}
