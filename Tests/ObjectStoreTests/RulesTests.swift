import Core
import Foundation
import Messages
import Testing

@testable import ObjectStore

/// The pure rules: conditions, ranges, choices, cursors.
@Suite struct RulesTests {
    private func info(etag: String, modifiedSeconds: Int64) -> ObjectInfo {
        var head = ProtoObjectHead()
        head.etag = etag
        head.modifiedMs = modifiedSeconds * 1000 + 500
        return ObjectInfo(head)
    }

    @Test func `conditions are evaluated in the order of RFC 9110`() {
        let info = info(etag: "abc", modifiedSeconds: 100)
        func verdict(_ change: (inout ReadConditions) -> Void) -> ReadConditions.Verdict {
            var conditions = ReadConditions()
            change(&conditions)
            return conditions.verdict(info)
        }
        let before = WallTime(milliseconds: 99_000)
        let same = WallTime(milliseconds: 100_000)
        #expect(verdict { $0.ifMatch = ["abc"] } == .proceed)
        #expect(verdict { $0.ifMatch = ["x", "*"] } == .proceed)
        #expect(verdict { $0.ifMatch = ["x"] } == .failed(condition: "If-Match"))
        #expect(verdict { $0.ifNoneMatch = ["abc"] } == .notModified)
        #expect(verdict { $0.ifNoneMatch = ["x"] } == .proceed)
        #expect(verdict { $0.ifModifiedSince = same } == .notModified)
        #expect(verdict { $0.ifModifiedSince = before } == .proceed)
        #expect(verdict { $0.ifUnmodifiedSince = same } == .proceed)
        #expect(
            verdict { $0.ifUnmodifiedSince = before } == .failed(condition: "If-Unmodified-Since"))
        #expect(
            verdict {
                $0.ifMatch = ["abc"]
                $0.ifUnmodifiedSince = before
            } == .proceed)
        #expect(
            verdict {
                $0.ifNoneMatch = ["x"]
                $0.ifModifiedSince = same
            } == .proceed)
    }

    @Test func `ranges are cut to the object, or refused`() throws {
        #expect(try ByteRange.closed(2, 5).resolve(size: 10) == 2..<6)
        #expect(try ByteRange.closed(2, 500).resolve(size: 10) == 2..<10)
        #expect(try ByteRange.closed(2, .max).resolve(size: 10) == 2..<10)
        #expect(try ByteRange.from(9).resolve(size: 10) == 9..<10)
        #expect(try ByteRange.suffix(3).resolve(size: 10) == 7..<10)
        #expect(try ByteRange.suffix(30).resolve(size: 10) == 0..<10)
        for range in [ByteRange.closed(10, 12), .closed(5, 4), .from(10), .suffix(0)] {
            #expect(throws: ObjectStoreError.invalidRange(size: 10)) {
                try range.resolve(size: 10)
            }
        }
        #expect(throws: ObjectStoreError.invalidRange(size: 0)) {
            try ByteRange.suffix(1).resolve(size: 0)
        }
    }

    @Test func `keys are bytes of UTF-8, 1 to 1,024`() throws {
        #expect(throws: ObjectStoreError.invalidKey) { try ObjectKey("") }
        #expect(throws: ObjectStoreError.invalidKey) { try ObjectKey([0xFF, 0x41]) }
        #expect(throws: ObjectStoreError.keyTooLong(bytes: 1025)) {
            try ObjectKey(String(repeating: "a", count: 1025))
        }
        let composed = try ObjectKey("\u{E9}")
        let decomposed = try ObjectKey("e\u{301}")
        #expect(composed != decomposed)
    }

    // MARK: Where chunks go

    private func snapshot() -> ClusterSnapshot { World(nodeCount: 5).cluster.snapshot }

    @Test(arguments: 0..<30 as Range<UInt64>)
    func `a chunk goes where all nodes take it`(seed: UInt64) throws {
        var snapshot = snapshot()
        let nodes = snapshot.health.keys.sorted()
        snapshot.health[nodes[0]]?.state = .suspect
        snapshot.health[nodes[1]]?.acceptsWrites = false
        var random = SeededRandom(seed: seed)
        let choice = try #require(
            PartitionChoice.choose(snapshot, avoiding: [], random: &random))
        #expect(Set(choice.nodes) == Set(nodes[2...]))
        #expect(choice.absent.isEmpty && choice.ackedCountMin == 2)
    }

    @Test func `with fewer nodes a quorum must do, and a moving partition never does`() throws {
        var snapshot = snapshot()
        let nodes = snapshot.health.keys.sorted()
        for node in nodes[..<3] { snapshot.health[node]?.state = .down }
        var random = SeededRandom(seed: 1)
        let choice = try #require(
            PartitionChoice.choose(snapshot, avoiding: [], random: &random))
        #expect(choice.replicas.count == 3 && choice.absent.count == 1)
        #expect(Set(choice.nodes) == Set(nodes[3...]))
        for index in snapshot.partitions.indices {
            snapshot.partitions[index].next = [nodes[0]]
        }
        #expect(PartitionChoice.choose(snapshot, avoiding: [], random: &random) == nil)
        snapshot.partitions = []
        #expect(PartitionChoice.choose(snapshot, avoiding: [], random: &random) == nil)
    }

    @Test func `choices spread over the partitions`() {
        let snapshot = snapshot()
        var random = SeededRandom(seed: 1)
        let chosen = (0..<4096).compactMap { _ in
            PartitionChoice.choose(snapshot, avoiding: [], random: &random)?.partition
        }
        #expect(Set(chosen).count > 2000)
    }

    @Test func `the one partition that serves is found`() throws {
        var snapshot = snapshot()
        for index in snapshot.partitions.indices where index != 77 {
            snapshot.partitions[index].nodes = []
        }
        var random = SeededRandom(seed: 1)
        let choice = PartitionChoice.choose(snapshot, avoiding: [], random: &random)
        #expect(choice?.partition.rawValue == 77)
    }

    @Test func `healthy copies are read first, then those that are near`() throws {
        var snapshot = snapshot()
        let partition = try #require(PartitionID(rawValue: 9))
        let nodes = snapshot.partitions[9].nodes
        snapshot.health[nodes[0]]?.state = .down
        snapshot.health[nodes[2]]?.isSameZone = true
        for spread in 0..<3 as Range<UInt64> {
            #expect(
                ReadOrder.candidates(snapshot, partition, avoiding: [], spread: spread)
                    == [nodes[2], nodes[1], nodes[0]])
            #expect(
                ReadOrder.candidates(snapshot, partition, avoiding: [nodes[2]], spread: spread)
                    == [nodes[1], nodes[2], nodes[0]])
        }
    }

    // MARK: How a body is walked through

    private func body(_ sizes: [Int]) -> ProtoBody {
        var body = ProtoBody()
        body.chunked.chunks = sizes.map { size in
            .with {
                $0.id = ChunkID(high: 0, low: UInt64(size)).data
                $0.bytes = UInt32(size)
            }
        }
        return body
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func `steps cover a range without gaps`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let size = Int.random(in: 1...(20 << 20), using: &random)
        var sizes = [Int](repeating: Limits.chunkBytesMax, count: size / Limits.chunkBytesMax)
        if size % Limits.chunkBytesMax > 0 { sizes.append(size % Limits.chunkBytesMax) }
        let start = Int.random(in: 0..<size, using: &random)
        let end = Int.random(in: start + 1...size, using: &random)
        var cursor = try ReadCursor(body(sizes), size: size, range: start..<end)
        var position = start
        while case .step(.blocks(let span)) = try cursor.next(blocksMax: 16) {
            let chunkStart = span.firstBlock / blocksPerChunk * Limits.chunkBytesMax
            let first = chunkStart + span.blocks.lowerBound * Limits.blockBytes
            #expect(first + span.skippedBytes == position)
            #expect(span.blocks.count <= 16 && span.skippedBytes < Limits.blockBytes)
            #expect(span.skippedBytes + span.takenBytes <= span.plainBytes)
            position += span.takenBytes
        }
        #expect(position == end)
    }

    @Test func `a body that is too short is damaged, not endless`() throws {
        var cursor = try ReadCursor(body([100]), size: 200, range: 0..<200)
        _ = try cursor.next(blocksMax: 16)
        #expect(throws: ObjectStoreError.damaged("a body lacks chunks")) {
            _ = try cursor.next(blocksMax: 16)
        }
    }
}
