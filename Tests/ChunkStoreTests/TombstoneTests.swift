import Core
import Simulation
import Testing

@testable import ChunkStore

/// The files of tombstones: full disks, older versions, holes that were lost.
@Suite struct TombstoneTests {
    private static let fileBytes = 4096
    private static let perFile = UInt64(
        (fileBytes - SegmentHeader.byteCount) / TombstoneRecord.byteCount)

    private func tombstoneFiles(_ disk: SimulatedChunkDisk) -> [String] {
        disk.list().filter { $0.hasPrefix("deleted-") }.sorted()
    }

    @Test func `a full disk takes deletes until the spare file is full too`() async throws {
        var test = try TestStore(tombstoneFileBytes: Self.fileBytes)
        _ = try await test.store.write(chunk(0), owner: [], payload: [1])
        test.disk.with { $0.freeBytes = 0 }
        for number in 0..<2 * Self.perFile {
            try await test.store.delete([chunk(number)])
            if number % 50 == 0 { await test.store.maintain() }
        }
        let next = chunk(2 * Self.perFile)
        await #expect(throws: ChunkStoreError.full) { try await test.store.delete([next]) }
        #expect(test.store.failure == nil)
        #expect(try test.store.isDeleted(chunk(0)))
        #expect(try !test.store.isDeleted(next))
        // Room comes back: so do deletes, and the file ahead.
        test.disk.with { $0.freeBytes = 1 << 30 }
        await test.store.maintain()
        try await test.store.delete([next])
        #expect(tombstoneFiles(test.disk).count == 3)
        await test.store.close()
        test.removeIndex()
        try test.reopen()
        for number in 0...2 * Self.perFile { #expect(try test.store.isDeleted(chunk(number))) }
        await test.store.close()
    }

    @Test func `a store without tombstone files opens on a full disk`() async throws {
        var test = try TestStore()
        _ = try await test.store.write(chunk(1), owner: [], payload: [1])
        await test.store.close()
        for name in tombstoneFiles(test.disk) { try test.disk.remove(name) }
        test.disk.with { $0.freeBytes = 0 }
        try test.reopen()
        #expect(try test.store.readAll(chunk(1)) == [1])
        await #expect(throws: ChunkStoreError.full) { try await test.store.delete([chunk(1)]) }
        test.disk.with { $0.freeBytes = 1 << 30 }
        await test.store.maintain()
        #expect(tombstoneFiles(test.disk).count == 2)
        try await test.store.delete([chunk(1)])
        #expect(throws: ChunkStoreError.deleted(chunk(1))) { try test.store.open(chunk(1)) }
        await test.store.close()
    }

    @Test(arguments: [false, true])
    func `files of version 1 are read and not added to`(isIndexLost: Bool) async throws {
        var test = try TestStore()
        for number in 1...3 as ClosedRange<UInt64> {
            _ = try await test.store.write(chunk(number), owner: [], payload: [1])
        }
        await test.store.close()
        for name in tombstoneFiles(test.disk) { try test.disk.remove(name) }
        // What the former version left: a delete of the first, a drop of the second.
        let bytes = ChunkStoreLimits.tombstoneFileBytes
        let file = try test.disk.create("deleted-00000001", bytes: bytes)
        let header = SegmentHeader(
            kind: nil, number: 1, store: test.store.identity,
            identity: StorageIdentity(high: 0, low: 0), bytes: bytes)
        #expect(header.version == 1)
        try file.write(header.encoded(), at: 0)
        for (place, mark) in [0x5454_5344, 0x4454_5344].enumerated() as EnumeratedSequence<[UInt32]>
        {
            var writer = RecordWriter(capacity: 32)
            writer.append(UInt32(0))
            writer.append(mark)
            writer.append(Int64(1_000_000))
            writer.append(chunk(UInt64(place) + 1).bytes)
            writer.put(CRC32C.of(writer.bytes[4...]), at: 0)
            try file.write(writer.bytes, at: 64 + 32 * place)
        }
        if isIndexLost { test.removeIndex() }
        try test.reopen()
        #expect(throws: ChunkStoreError.deleted(chunk(1))) { try test.store.open(chunk(1)) }
        // Without an index a drop that names no extent takes nothing; what comes back is whole.
        if isIndexLost {
            #expect(try test.store.readAll(chunk(2)) == [1])
        } else {
            #expect(throws: ChunkStoreError.notFound(chunk(2))) { try test.store.open(chunk(2)) }
        }
        #expect(try test.store.readAll(chunk(3)) == [1])
        try await test.store.drop([chunk(3)])
        #expect(
            tombstoneFiles(test.disk)
                == ["deleted-00000001", "deleted-00000002", "deleted-00000003"])
        await test.store.close()
        test.removeIndex()
        try test.reopen()
        #expect(throws: ChunkStoreError.notFound(chunk(3))) { try test.store.open(chunk(3)) }
        await test.store.close()
    }

    @Test func `a drop is of one copy, whatever becomes of holes and index`() async throws {
        var random = SeededRandom(seed: 1)
        var test = try TestStore()
        let bytes = payload(chunk(1), bytes: 9_000)
        let store = test.store
        _ = try await store.write(chunk(1), owner: [], payload: bytes)
        _ = try await store.write(chunk(2), owner: [], payload: bytes)
        try await store.drop([chunk(1), chunk(2)])
        _ = try await store.write(chunk(1), owner: [], payload: bytes)
        await store.runMaintenance { _ in }
        // No hole was synced, and the index is gone.
        test.disk = test.disk.crashed(.nothing, using: &random)
        await store.close()
        test.removeIndex()
        try test.reopen()
        #expect(try test.store.readAll(chunk(1)) == bytes)
        #expect(throws: ChunkStoreError.notFound(chunk(2))) { try test.store.open(chunk(2)) }
        #expect(try test.store.listAll(chunk(1).partition) == [chunk(1)])
        await test.store.close()
    }

    @Test func `where no holes can be cut nothing comes back either`() async throws {
        var test = try TestStore()
        test.disk.with { $0.failsPunches = true }
        for number in 1...3 as ClosedRange<UInt64> {
            _ = try await test.store.write(
                chunk(number), owner: [], payload: payload(chunk(number), bytes: 9_000))
        }
        try await test.store.drop([chunk(1)])
        try await test.store.delete([chunk(2)])
        await test.store.close()
        // Not even without the records that say so.
        test.removeIndex()
        for name in tombstoneFiles(test.disk) { try test.disk.remove(name) }
        try test.reopen()
        #expect(try test.store.listAll(chunk(1).partition) == [chunk(3)])
        await test.store.close()
    }

    @Test func `an old drop takes no tombstone of the same chunk along`() async throws {
        let test = try TestStore(tombstoneFileBytes: Self.fileBytes)
        let store = test.store
        _ = try await store.write(chunk(1), owner: [], payload: [1])
        try await store.drop([chunk(1)])
        for number in 100..<100 + Self.perFile { try await store.delete([chunk(number)]) }
        let half = UInt64(ChunkStoreLimits.tombstoneMilliseconds) / 2 + 1_000
        test.clocks.advance(milliseconds: half)
        try await store.delete([chunk(1)])
        test.clocks.advance(milliseconds: half)
        await store.maintain()
        #expect(try !store.isDeleted(chunk(100)))
        #expect(try store.isDeleted(chunk(1)))
        await store.close()
    }
}
