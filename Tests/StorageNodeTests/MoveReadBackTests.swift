import ChunkStore
import Core
import Foundation
import Logging
import NIOPosix
import Synchronization
import Testing
import Wire

@testable import StorageNode

/// A move is committed when the taker says that it has everything: so it must have looked.
@Suite struct MoveReadBackTests {
    private final class TestClocks: Clocks {
        private let time = Mutex<UInt64>(1_000_000)
        func advance(milliseconds: UInt64) { time.withLock { $0 += milliseconds } }
        var wall: WallTime { WallTime(milliseconds: Int64(time.withLock { $0 })) }
        var monotonic: MonotonicTime { MonotonicTime(milliseconds: time.withLock { $0 }) }
    }

    private let me = NodeID(high: 0, low: 1)
    private let clocks = TestClocks()

    private func puller(_ store: ChunkStore) throws -> ChunkPuller {
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let certificates = try NodeCertificates(
            identity: PeerIdentity(node: me, role: .storage),
            secrets: [[UInt8](repeating: 7, count: 32)], clocks: clocks)
        let pool = WirePool(
            WirePool.Configuration(
                certificates: certificates, group: MultiThreadedEventLoopGroup.singleton,
                logger: logger, cluster: { nil }, addressOf: { _ in nil }))
        return ChunkPuller(
            store: store, gate: WriteGate(me: me), pool: pool, clocks: clocks, logger: logger)
    }

    /// Turns one bit of the payload around where it lies on the disk.
    private func spoil(_ payload: [UInt8], in folder: String) throws {
        let segments = folder + "/segments"
        for name in try FileManager.default.contentsOfDirectory(atPath: segments)
        where name.hasPrefix("segment-") {
            let file = try FileHandle(forUpdating: URL(fileURLWithPath: segments + "/" + name))
            defer { try? file.close() }
            let bytes = try file.read(upToCount: 1 << 16) ?? Data()
            guard let place = bytes.range(of: Data(payload.prefix(64))) else { continue }
            try file.seek(toOffset: UInt64(place.lowerBound))
            try file.write(contentsOf: [payload[0] ^ 1])
            return
        }
        Issue.record("the payload is nowhere")
    }

    private func withStore(
        _ body: (ChunkStore, _ folder: String) async throws -> Void
    ) async throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("move-\(UInt64.random(in: 0 ... .max))")
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try await ChunkStore.open(directory: folder.path, capacityBytes: 64 << 20)
        do {
            try await body(store, folder.path)
        } catch {
            Issue.record(error)
        }
        await store.close()
    }

    @Test func `a copy that is here and bad does not count`() async throws {
        try await withStore { store, folder in
            var random = SeededRandom(seed: 1)
            let good = ChunkID(
                partition: PartitionID(rawValue: 7)!, born: clocks.wall, using: &random)
            let bad = ChunkID(
                partition: PartitionID(rawValue: 7)!, born: clocks.wall, using: &random)
            let payload = (0..<500).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            _ = try await store.write(good, owner: [], payload: [1, 2, 3])
            _ = try await store.write(bad, owner: [], payload: payload)
            let puller = try puller(store)
            try spoil(payload, in: folder)
            let outcomes = await puller.copyAll([good: [], bad: []])
            #expect(outcomes == [good: .settled, bad: .failed])
        }
    }

    @Test func `what was read back lately is not read again`() async throws {
        try await withStore { store, _ in
            var random = SeededRandom(seed: 2)
            let chunk = ChunkID(
                partition: PartitionID(rawValue: 7)!, born: clocks.wall, using: &random)
            _ = try await store.write(chunk, owner: [], payload: [1, 2, 3])
            let puller = try puller(store)
            for (pause, bytesRead) in [(0, 3), (0, 3), (2, 6), (0, 6)] as [(UInt64, UInt64)] {
                clocks.advance(milliseconds: pause * StorageNodeLimits.readBackMilliseconds)
                #expect(await puller.copyAll([chunk: []]) == [chunk: .settled])
                #expect(store.counters.bytesRead == bytesRead)
            }
            // One that is gone since is noticed nevertheless.
            try await store.drop([chunk])
            #expect(await puller.copyAll([chunk: []]) == [chunk: .failed])
        }
    }

    @Test func `a holder that can't be asked is not one without a copy`() async throws {
        try await withStore { store, _ in
            var random = SeededRandom(seed: 3)
            let chunk = ChunkID(
                partition: PartitionID(rawValue: 7)!, born: clocks.wall, using: &random)
            let away = NodeID(high: 0, low: 2)
            let outcomes = try await puller(store).copyAll([chunk: [away]])
            #expect(outcomes == [chunk: .unreachable(away)])
        }
    }

    @Test func `a full memory forgets the older half`() {
        let readBack = ReadBackChunks(clocks: clocks)
        let count = UInt64(StorageNodeLimits.readBackCountMax)
        for number in 0..<2 * count + 1 { readBack.insert(ChunkID(high: 0, low: number)) }
        #expect(!readBack.contains(ChunkID(high: 0, low: 0)))
        #expect(readBack.contains(ChunkID(high: 0, low: count)))
        #expect(readBack.contains(ChunkID(high: 0, low: 2 * count)))
    }
}
