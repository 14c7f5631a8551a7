import Core
import Messages
import NIOCore
import Testing

@testable import ObjectStore
@testable import ObjectStoreModel

/// Nodes that fail while bytes are on their way.
@Suite(.serialized) struct FaultTests {
    /// A world of three nodes, so that every partition is on all of them.
    private func world() async throws -> World {
        let world = World(nodeCount: 3)
        try await world.makeBucket()
        return world
    }

    @Test(arguments: [
        ModelChunks.Fault.unreachable, .full, .dies(afterBytes: 0), .dies(afterBytes: 3_000_000),
    ])
    func `a failed copy is queued for repair by the commit`(fault: ModelChunks.Fault) async throws {
        let world = try await world()
        world.chunks.set(fault, on: world.nodes[1])
        let bytes = pattern(5 << 20)
        try await world.put("k", bytes)
        let chunk = try #require(world.catalogue.named.first)
        #expect(world.chunks.copies(of: chunk) == [world.nodes[0], world.nodes[2]])
        let missing = world.catalogue.state.withLock { $0.missing }
        #expect(missing.map(\.chunk) == [chunk.data])
        #expect(missing.map(\.node) == [world.nodes[1].data])
        let got = try await world.get("k")
        #expect(got == bytes)
    }

    @Test func `a silent copy holds a small write up by its grace only`() async throws {
        let world = try await world()
        world.chunks.set(.silent, on: world.nodes[2])
        let before = world.clocks.monotonic.milliseconds
        try await world.withTime { try await world.put("k", pattern(20_000)) }
        let missing = world.catalogue.state.withLock { $0.missing }
        #expect(missing.map(\.node) == [world.nodes[2].data])
        #expect(world.clocks.monotonic.milliseconds - before >= ObjectStoreLimits.writeGrace)
    }

    @Test func `a copy whose window stays closed is left behind`() async throws {
        let world = try await world()
        world.chunks.set(.silent, on: world.nodes[0])
        let bytes = pattern(12 << 20)
        try await world.withTime { try await world.put("k", bytes) }
        let missing = world.catalogue.state.withLock { $0.missing }
        #expect(missing.count == 2)
        #expect(missing.allSatisfy { $0.node == world.nodes[0].data })
        let got = try await world.get("k")
        #expect(got == bytes)
    }

    @Test func `a small chunk that finds no quorum goes elsewhere`() async throws {
        let world = World(nodeCount: 9)
        try await world.makeBucket()
        for node in world.nodes.prefix(6) { world.chunks.set(.full, on: node) }
        for index in 0..<20 {
            let bytes = pattern(20_000 + index)
            try await world.put("k\(index)", bytes)
            let got = try await world.get("k\(index)")
            #expect(got == bytes)
        }
        #expect(world.chunks.chunkCount == 20)
    }

    @Test func `a big chunk that loses its quorum late tells the client to retry`() async throws {
        let world = try await world()
        for node in world.nodes.prefix(2) {
            world.chunks.set(.dies(afterBytes: 3 << 20), on: node)
        }
        await #expect(throws: ObjectStoreError.self) { try await world.put("k", pattern(8 << 20)) }
        #expect(world.chunks.chunkCount == 0)
        #expect(world.service.chunkWritesInFlight == 0)
    }

    @Test func `no nodes: SlowDown, at once`() async throws {
        let world = try await world()
        world.cluster.update { snapshot in
            for node in snapshot.health.keys { snapshot.health[node]?.state = .down }
        }
        await #expect(
            throws: ObjectStoreError.slowDown("no partition has enough nodes that take chunks")
        ) { try await world.put("k", pattern(20_000)) }
        // What needs no chunk goes on.
        try await world.put("small", pattern(100))
    }

    @Test func `a node known to be down is not asked`() async throws {
        let world = try await world()
        world.cluster.update { $0.health[world.nodes[0]]?.state = .down }
        try await world.put("k", pattern(20_000))
        #expect(world.chunks.state.withLock { $0.nodes[world.nodes[0]]?.writes } == 0)
        #expect(world.catalogue.state.withLock { $0.missing.count } == 1)
    }

    // MARK: Reading

    @Test(arguments: [
        ModelChunks.Fault.unreachable, .silent, .dies(afterBytes: 200_000), .corrupt,
        .detectsCorruption, .forgetful,
    ])
    func `a reader does not notice that a copy fails`(fault: ModelChunks.Fault) async throws {
        let world = try await world()
        let bytes = pattern(10 << 20)
        try await world.put("k", bytes)
        // Two of three fail, in every place of the order.
        for pair in [[0, 1], [0, 2], [1, 2]] {
            for (index, node) in world.nodes.enumerated() {
                world.chunks.set(pair.contains(index) ? fault : .none, on: node)
            }
            let got = try await world.withTime { try await world.get("k") }
            #expect(got == bytes)
        }
        let reported = world.chunks.state.withLock { $0.reported }
        let isBad = [.corrupt, .detectsCorruption, .forgetful].contains(fault)
        #expect(reported.isEmpty != isBad)
    }

    @Test func `a copy that fails in mid-stream is replaced from the block it failed at`()
        async throws
    {
        let world = try await world()
        let bytes = pattern(8 << 20)
        try await world.put("k", bytes)
        let result = try await world.service.get(GetRequest(try world.address("k")))
        var got: [UInt8] = []
        var reads = 0
        for try await piece in result.body {
            got += piece.readableBytesView
            reads += 1
            // Whoever serves just now stops, and another comes back.
            let bad = world.nodes[reads % 3]
            for node in world.nodes {
                world.chunks.set(node == bad ? .dies(afterBytes: 300_000) : .none, on: node)
            }
        }
        #expect(got == bytes)
        #expect(reads == 8)
        // No block was read twice for each failure: far less than another whole pass.
        #expect(world.chunks.state.withLock { $0.fetchedBytes } < 13 << 20)
    }

    @Test func `no good copy: an error, never wrong bytes`() async throws {
        let world = try await world()
        try await world.put("k", pattern(100_000))
        for node in world.nodes { world.chunks.set(.corrupt, on: node) }
        await #expect(throws: ObjectStoreError.self) { try await world.get("k") }
        #expect(world.chunks.state.withLock { $0.reported.count } == 3)
        for node in world.nodes { world.chunks.set(.unreachable, on: node) }
        do {
            _ = try await world.get("k")
            Issue.record("nobody could have answered")
        } catch ObjectStoreError.slowDown {
            // The client may come again.
        }
        #expect(world.service.memoryBytesUsed == 0)
    }
}
