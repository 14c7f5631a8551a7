import ChunkStore
import ClusterView
import Core
import Foundation
import Logging
import Messages
import Synchronization
import Testing

@testable import StorageNode

/// One node's sweep against ranges that answer from a dictionary.
@Suite struct ChunkSweepTests {
    private final class Ranges: SweepAsking {
        struct Range: Sendable {
            var fence: UInt32 = 1_000
            var named: Set<ChunkID> = []
            var isAway = false
        }

        struct Away: Error {}

        let ranges = Mutex<[RangeID: Range]>([:])
        let asked = Mutex<[Int]>([])

        func unnamed(
            _ chunks: [ChunkID], in range: RangeID
        ) async throws -> (chunks: [ChunkID], fence: UInt32) {
            asked.withLock { $0.append(chunks.count) }
            let found = ranges.withLock { $0[range] } ?? Range()
            if found.isAway && !chunks.isEmpty { throw Away() }
            let unnamed = chunks.filter { $0.born < found.fence && !found.named.contains($0) }
            return (unnamed, found.fence)
        }
    }

    private let folder = FileManager.default.temporaryDirectory
        .appendingPathComponent("sweep-\(UUID().uuidString)").path
    private let ranges = Ranges()
    private let counters = SweepCounters()

    private func withStore(_ body: (ChunkStore, ChunkSweep) async throws -> Void) async throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let store = try await ChunkStore.open(
            directory: folder, capacityBytes: 256 << 20, name: "sweep", clocks: SystemClocks())
        var map = ClusterState()
        let isTaken = map.apply(
            .with {
                $0.revision = 1
                $0.ranges = ([1, 2] as [UInt32]).map { number in .with { $0.range = number } }
            })
        precondition(isTaken)
        let sweep = ChunkSweep(
            store: store, questions: ranges, map: { [map] in map }, pause: .seconds(1),
            swept: counters, clocks: SystemClocks(), logger: Logger(label: "sweep"))
        do {
            try await body(store, sweep)
        } catch {
            await store.close()
            throw error
        }
        await store.close()
    }

    private func write(_ count: Int, born: UInt32, to store: ChunkStore) async throws -> [ChunkID] {
        var random = SeededRandom(seed: UInt64(born))
        var chunks: [ChunkID] = []
        for number in 0..<count {
            let partition = PartitionID(rawValue: UInt16(number * 37 % PartitionID.count))!
            let time = WallTime(milliseconds: Int64(born) * 1000)
            let chunk = ChunkID(partition: partition, born: time, using: &random)
            #expect(try await store.write(chunk, owner: [], payload: [1, 2, 3]) == .written)
            chunks.append(chunk)
        }
        return chunks
    }

    private func stored(_ chunks: [ChunkID], in store: ChunkStore) throws -> [ChunkID] {
        try chunks.filter { try store.contains($0) }
    }

    @Test func `only what no range names, and what all of them have fenced, goes`() async throws {
        try await withStore { store, sweep in
            let old = try await write(40, born: 500, to: store)
            let middle = try await write(10, born: 800, to: store)
            let young = try await write(10, born: 2_000, to: store)
            ranges.ranges.withLock {
                $0[RangeID(rawValue: 1)] = .init(fence: 1_000, named: Set(old[..<10]))
                $0[RangeID(rawValue: 2)] = .init(fence: 700, named: Set(old[10..<20]))
            }
            try await sweep.round()
            #expect(try stored(old, in: store) == Array(old[..<20]))
            #expect(try stored(middle, in: store) == middle)
            #expect(try stored(young, in: store) == young)
            #expect(counters.chunks == 20)
            // For good: nobody writes or copies them here any more.
            #expect(try store.isDeleted(old[30]))
        }
    }

    @Test func `a range that does not answer keeps everything`() async throws {
        try await withStore { store, sweep in
            let old = try await write(20, born: 500, to: store)
            ranges.ranges.withLock { $0[RangeID(rawValue: 2)] = .init(isAway: true) }
            await #expect(throws: Ranges.Away.self) { try await sweep.round() }
            #expect(try stored(old, in: store) == old)
            ranges.ranges.withLock { $0[RangeID(rawValue: 2)] = nil }
            try await sweep.round()
            #expect(try stored(old, in: store) == [])
        }
    }

    @Test func `many chunks are asked about batch by batch`() async throws {
        try await withStore { store, sweep in
            let count = StorageNodeLimits.sweepBatch + 200
            let old = try await write(count, born: 500, to: store)
            try await sweep.round()
            #expect(try stored(old, in: store) == [])
            let asked = ranges.asked.withLock { $0 }
            #expect(asked.allSatisfy { $0 <= StorageNodeLimits.sweepBatch })
            #expect(asked.reduce(0, +) == 2 * count)
        }
    }

    @Test func `before the cluster has ranges nothing is swept`() async throws {
        try await withStore { store, sweep in
            let old = try await write(3, born: 500, to: store)
            let early = ChunkSweep(
                store: store, questions: ranges, map: { ClusterState() }, pause: .seconds(1),
                swept: counters, clocks: SystemClocks(), logger: sweep.logger)
            try await early.round()
            #expect(try stored(old, in: store) == old)
        }
    }

    @Test func `a node sweeps four times in SWEEP_AGE, within bounds`() {
        #expect(ChunkSweep.pause(age: .seconds(2)) == StorageNodeLimits.sweepPauseMin)
        #expect(ChunkSweep.pause(age: .seconds(3600)) == .seconds(900))
        #expect(ChunkSweep.pause(age: .seconds(30 * 86400)) == StorageNodeLimits.sweepPauseMax)
        StorageNodeLimits.check()
    }
}
