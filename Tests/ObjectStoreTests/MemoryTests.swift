import Core
import NIOCore
import Synchronization
import Testing

@testable import ObjectStore

/// What streams hold is bounded, whatever the object's size.
@Suite(.serialized) struct MemoryTests {
    /// Gives the same piece again and again, and counts.
    private struct EndlessSource: ByteSource {
        let length: Int
        let given: @Sendable (Int) -> Void
        private var position = 0
        private let piece = ByteBuffer(repeating: 5, count: 64 << 10)

        init(length: Int, given: @escaping @Sendable (Int) -> Void) {
            self.length = length
            self.given = given
        }

        mutating func next() async throws -> ByteBuffer? {
            guard position < length else { return nil }
            let count = min(piece.readableBytes, length - position)
            position += count
            given(position)
            return piece.getSlice(at: piece.readerIndex, length: count)
        }
    }

    @Test func `an upload holds no more than its windows`() async throws {
        let world = World(nodeCount: 3)
        try await world.makeBucket()
        let ahead = Mutex(0)
        let chunks = world.chunks
        let length = 64 << 20
        let address = try world.address("k")
        _ = try await world.service.put(
            PutRequest(address, length: length),
            body: EndlessSource(length: length) { position in
                let drained = chunks.state.withLock { $0.drainedBytes / 3 }
                ahead.withLock { $0 = max($0, position - drained) }
            })
        // A chunk that ends and the one that begins: the slowest replica's queue and a piece each;
        // and the piece being filled.
        let piece = ObjectStoreLimits.sendBlocksMax * Limits.sealedBlockBytes
        let bound = 2 * (ModelChunks.windowBytes + piece) + piece
        #expect(ahead.withLock { $0 } <= bound)
        #expect(world.chunks.state.withLock { $0.heldBytesPeak } <= 3 * bound)
        #expect(world.chunks.state.withLock { $0.heldBytes } == 0)
    }

    @Test func `a download fetches one step ahead and no more`() async throws {
        let world = World(nodeCount: 3)
        try await world.makeBucket()
        let length = 24 << 20
        let address = try world.address("k")
        _ = try await world.service.put(
            PutRequest(address, length: length),
            body: EndlessSource(length: length) { _ in })
        let result = try await world.service.get(GetRequest(address))
        #expect(world.service.memoryBytesUsed == ObjectStoreLimits.getStreamBytes)
        var taken = 0
        var ahead = 0
        for try await piece in result.body {
            taken += piece.readableBytes
            for _ in 0..<20 { await Task.yield() }
            ahead = max(ahead, world.chunks.state.withLock { $0.fetchedBytes } - taken)
        }
        #expect(taken == length)
        let step = ObjectStoreLimits.fetchBlocksMax * Limits.sealedBlockBytes
        #expect(ahead <= 2 * step)
    }

    @Test func `over the budget the client is told to slow down`() async throws {
        let world = World(nodeCount: 3)
        let service = ObjectService(
            cluster: world.cluster, catalogue: world.catalogue, chunks: world.chunks,
            keys: world.keys, clocks: world.clocks, memoryBytesMax: 4 << 20)
        _ = try await service.createBucket("b", owner: "root")
        let address = try world.address("k")
        let length = 5 << 20
        _ = try await service.put(
            PutRequest(address, length: length), body: EndlessSource(length: length) { _ in })
        var held = try await service.get(GetRequest(address)).body as ObjectBody?
        #expect(service.memoryBytesUsed == ObjectStoreLimits.getStreamBytes)
        // Scarce: smaller steps.
        var second = try await service.get(GetRequest(address)).body as ObjectBody?
        #expect(service.memoryBytesUsed == 4 << 20)
        await #expect(
            throws: ObjectStoreError.slowDown("all memory for streams is in use")
        ) { try await service.get(GetRequest(address)) }
        let bytes = try await World.bytes(of: try #require(second))
        #expect(bytes.count == length)
        held = nil
        second = nil
        #expect(held == nil && second == nil && service.memoryBytesUsed == 0)
    }
}
