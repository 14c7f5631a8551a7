import Core
import Logging
import Messages
import NIOCore
import NIOPosix
import ObjectStore
import Synchronization
import Testing
import Wire

@testable import Gateway

/// The chunk door over real sockets.
@Suite struct DoorTests {
    private struct Side {
        let stubs: [StorageStub]
        let door: ChunksOverWire
        let pool: WirePool

        func request(
            _ bytes: Int, seconds: UInt64 = 30
        ) -> (ChunkID, ChunkWriteRequest, MonotonicTime) {
            var random = SystemRandomNumberGenerator()
            let partition = PartitionID(rawValue: 3)!
            let chunk = ChunkID(
                partition: partition, born: WallTime(milliseconds: 0), using: &random)
            let deadline = MonotonicTime(
                milliseconds: SystemClocks().monotonic.milliseconds + seconds * 1000)
            let request = ChunkWriteRequest(
                chunk: chunk, sealedBytes: bytes, owner: [1, 2, 3], epoch: Epoch(rawValue: 1),
                deadline: deadline)
            return (chunk, request, deadline)
        }

        /// Writes one chunk as an operation would: waits where the stream says so.
        func write(
            _ bytes: [UInt8], to node: NodeID, seconds: UInt64 = 30
        ) async -> (ChunkID, ChunkWriteReply) {
            let (chunk, request, _) = request(bytes.count, seconds: seconds)
            let (replies, continuation) = AsyncStream.makeStream(
                of: ChunkWriteReply.self, bufferingPolicy: .bufferingOldest(4))
            let stream = door.write(request, to: node) { continuation.yield($0) }
            for start in stride(from: 0, to: bytes.count, by: 200_000) {
                let end = min(start + 200_000, bytes.count)
                let isRoomy = stream.enqueue(
                    ByteBuffer(bytes: bytes[start..<end]), end: end == bytes.count)
                guard !isRoomy, end < bytes.count else { continue }
                await withCheckedContinuation { room in stream.onWritable { room.resume() } }
            }
            for await reply in replies { return (chunk, reply) }
            return (chunk, .lost("never"))
        }

        func fetch(
            _ chunk: ChunkID, _ blocks: Range<Int>, from node: NodeID, seconds: UInt64 = 30
        ) async -> (bytes: [UInt8], failure: ChunkFetchFailure?) {
            let deadline = MonotonicTime(
                milliseconds: SystemClocks().monotonic.milliseconds + seconds * 1000)
            let reply = await withCheckedContinuation { continuation in
                _ = door.fetch(
                    ChunkFetchRequest(chunk: chunk, blocks: blocks, deadline: deadline),
                    from: node
                ) { continuation.resume(returning: $0) }
            }
            return (reply.pieces.flatMap { Array($0.readableBytesView) }, reply.failure)
        }
    }

    private func withSide(
        _ count: UInt64 = 1, _ body: (Side) async throws -> Void
    ) async throws {
        var stubs: [StorageStub] = []
        for number in 0..<count { stubs.append(try await StorageStub(number)) }
        let addresses = Dictionary(uniqueKeysWithValues: stubs.map { ($0.id, $0.address) })
        let me = NodeID(high: 8, low: 1)
        let pool = WirePool(
            WirePool.Configuration(
                certificates: try StorageStub.certificates(me, .gateway),
                group: MultiThreadedEventLoopGroup.singleton, logger: .quiet,
                cluster: { StorageStub.cluster }, addressOf: { addresses[$0] }))
        let side = Side(
            stubs: stubs,
            door: ChunksOverWire(pool: pool, clocks: SystemClocks(), logger: .quiet), pool: pool)
        do {
            try await body(side)
        } catch {
            Issue.record(error)
        }
        await pool.shutdown()
        for stub in stubs { await stub.stop() }
    }

    private func sealed(_ blocks: Int, last: Int) -> [UInt8] {
        var random = SeededRandom(seed: 5)
        return (0..<(blocks * Limits.sealedBlockBytes + last)).map { _ in
            UInt8(truncatingIfNeeded: random.next())
        }
    }

    @Test func `a chunk goes out and comes back, block by block`() async throws {
        let bytes = sealed(20, last: 1000)
        try await withSide { side in
            let node = side.stubs[0].id
            let (chunk, reply) = await side.write(bytes, to: node)
            #expect(reply == .acked)
            #expect(side.stubs[0].chunks.withLock { $0[chunk] } == bytes)
            let first = await side.fetch(chunk, 0..<16, from: node)
            #expect(first.failure == nil)
            #expect(first.bytes == Array(bytes[..<(16 * Limits.sealedBlockBytes)]))
            let rest = await side.fetch(chunk, 16..<21, from: node)
            #expect(rest.failure == nil)
            #expect(rest.bytes == Array(bytes[(16 * Limits.sealedBlockBytes)...]))
        }
    }

    @Test func `what a node answers comes through`() async throws {
        try await withSide { side in
            let stub = side.stubs[0]
            let bytes = sealed(1, last: 0)
            for status in [ProtoChunkStatus.full, .staleEpoch, .stopping] {
                stub.mood.withLock { $0 = .answers(status) }
                let (_, reply) = await side.write(bytes, to: stub.id)
                #expect(reply == .refused(status))
            }
            let (chunk, _, _) = side.request(1)
            stub.mood.withLock { $0 = .good }
            let absent = await side.fetch(chunk, 0..<1, from: stub.id)
            #expect(absent.failure == .notFound)
            stub.mood.withLock { $0 = .answers(.corrupt) }
            let corrupt = await side.fetch(chunk, 0..<1, from: stub.id)
            #expect(corrupt.failure == .corrupt)
        }
    }

    @Test func `a call that breaks off gives what came before`() async throws {
        try await withSide { side in
            let stub = side.stubs[0]
            let bytes = sealed(8, last: 0)
            let (chunk, _) = await side.write(bytes, to: stub.id)
            stub.mood.withLock { $0 = .breaksOff(afterBytes: 3 * Limits.sealedBlockBytes) }
            let got = await side.fetch(chunk, 0..<8, from: stub.id)
            guard case .unreachable = got.failure else {
                Issue.record("answered \(String(describing: got.failure))")
                return
            }
            #expect(bytes.starts(with: got.bytes))
            let (_, reply) = await side.write(bytes, to: stub.id)
            guard case .lost = reply else {
                Issue.record("answered \(reply)")
                return
            }
        }
    }

    @Test func `silence ends at the deadline, absence at once`() async throws {
        try await withSide { side in
            let stub = side.stubs[0]
            stub.mood.withLock { $0 = .silent }
            let (_, reply) = await side.write(sealed(1, last: 0), to: stub.id, seconds: 1)
            guard case .lost = reply else {
                Issue.record("answered \(reply)")
                return
            }
            let (chunk, _, _) = side.request(1)
            let got = await side.fetch(chunk, 0..<1, from: stub.id, seconds: 1)
            #expect(got.failure != nil && got.bytes.isEmpty)
            let nobody = NodeID(high: 9, low: 9)
            let (_, absent) = await side.write(sealed(1, last: 0), to: nobody)
            guard case .lost = absent else {
                Issue.record("answered \(absent)")
                return
            }
        }
    }

    @Test func `errands reach the nodes`() async throws {
        try await withSide(2) { side in
            let (first, _, _) = side.request(1)
            let (second, _, _) = side.request(1)
            side.door.discard([first, second], on: side.stubs.map(\.id))
            side.door.report(
                badCopyOf: first, on: side.stubs[1].id, goodSources: [side.stubs[0].id])
            let end = ContinuousClock.now + .seconds(20)
            while side.stubs.contains(where: { $0.deleted.withLock { $0.count } < 2 })
                || side.stubs[1].pulled.withLock({ $0 }) != [first]
            {
                try #require(ContinuousClock.now < end)
                try await Task.sleep(for: .milliseconds(5))
            }
        }
    }
}
