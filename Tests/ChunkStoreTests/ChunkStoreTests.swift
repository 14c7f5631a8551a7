import Core
import Foundation
import Testing

@testable import ChunkStore

@Suite struct ChunkStoreTests {
    @Test func `a chunk comes back whole and by blocks`() async throws {
        let test = try TestStore(segmentBytes: 16 << 20)
        let store = test.store
        var random = SeededRandom(seed: 1)
        let sizes = [
            1, 4_000, Limits.sealedBlockBytes, Limits.sealedBlockBytes + 1,
            ChunkStoreLimits.smallBytesMax, Limits.sealedChunkBytesMax,
        ]
        for (number, size) in sizes.enumerated() {
            let id = chunk(UInt64(number))
            let bytes = payload(id, bytes: size)
            let owner = [UInt8](repeating: 9, count: Limits.ownerRecordBytesMax)
            _ = try await store.writeInPieces(id, owner: owner, payload: bytes, using: &random)
            let reader = try store.open(id)
            #expect(reader.owner == owner)
            #expect(reader.bytes == size)
            #expect(try reader.read(0..<reader.blockCount) == bytes)
            for block in 0..<reader.blockCount {
                let range = reader.byteRange(of: block..<block + 1)
                #expect(try reader.read(block..<block + 1).elementsEqual(bytes[range]))
            }
            let cached = try #require(store.openCached(id))
            var buffer = [UInt8](repeating: 0, count: size)
            #expect(
                buffer.withUnsafeMutableBytes { raw in
                    cached.readCached(0..<cached.blockCount, into: raw)
                })
            #expect(buffer == bytes)
        }
        await store.close()
    }

    @Test func `breaking a limit is refused and leaves nothing`() async throws {
        let test = try TestStore()
        let store = test.store
        func expectInvalid(_ bytes: Int, owner: [UInt8] = []) {
            do throws(ChunkStoreError) {
                _ = try store.beginWrite(chunk(1), bytes: bytes, owner: owner)
                Issue.record("\(bytes) bytes were taken")
            } catch {
                guard case .invalid = error else {
                    Issue.record("\(error)")
                    return
                }
            }
        }
        expectInvalid(0)
        expectInvalid(Limits.sealedChunkBytesMax + 1)
        expectInvalid(1, owner: [UInt8](repeating: 0, count: Limits.ownerRecordBytesMax + 1))
        // Fewer and more bytes than announced.
        let short = try #require(try store.beginWrite(chunk(1), bytes: 10, owner: []))
        try [UInt8](repeating: 1, count: 9).withUnsafeBytes { try short.append($0) }
        await #expect(throws: ChunkStoreError.self) { _ = try await short.commit() }
        let long = try #require(try store.beginWrite(chunk(1), bytes: 10, owner: []))
        #expect(throws: ChunkStoreError.self) {
            try [UInt8](repeating: 1, count: 11).withUnsafeBytes { try long.append($0) }
        }
        long.abort()
        #expect(throws: ChunkStoreError.notFound(chunk(1))) { try store.open(chunk(1)) }
        #expect(store.usage.usedBytes == 0)
        #expect(store.state.withLock { $0.segments.promisedBytes } == 0)
        #expect(store.state.withLock { $0.writing.isEmpty })
        await store.close()
    }

    @Test func `writing the same again is acknowledged without a second copy`() async throws {
        let test = try TestStore()
        let store = test.store
        let bytes = payload(chunk(1), bytes: 5_000)
        #expect(try await store.write(chunk(1), owner: [], payload: bytes) == .written)
        let used = store.usage.usedBytes
        #expect(try await store.write(chunk(1), owner: [], payload: bytes) == .known)
        #expect(try store.beginWrite(chunk(1), bytes: 5_000, owner: []) == nil)
        await #expect(throws: ChunkStoreError.self) {
            _ = try await store.write(chunk(1), owner: [], payload: [1])
        }
        #expect(store.usage.usedBytes == used)
        #expect(store.state.withLock { $0.segments.promisedBytes } == 0)
        await store.close()
    }

    @Test func `two writers of one chunk leave one copy`() async throws {
        let test = try TestStore()
        let store = test.store
        let bytes = payload(chunk(1), bytes: 5_000)
        let first = try #require(try store.beginWrite(chunk(1), bytes: 5_000, owner: []))
        let second = try #require(try store.beginWrite(chunk(1), bytes: 5_000, owner: []))
        try bytes.withUnsafeBytes { try first.append($0) }
        try bytes.withUnsafeBytes { try second.append($0) }
        #expect(try await second.commit() == .written)
        store.flush()
        #expect(try await first.commit() == .known)
        #expect(try store.readAll(chunk(1)) == bytes)
        #expect(store.usage.chunkCount == 1)
        await store.close()
    }

    @Test func `a delete wins over a write under way`() async throws {
        let test = try TestStore()
        let store = test.store
        let write = try #require(try store.beginWrite(chunk(1), bytes: 3, owner: []))
        try ([1, 2, 3] as [UInt8]).withUnsafeBytes { try write.append($0) }
        try await store.delete([chunk(1)])
        store.flush()
        await #expect(throws: ChunkStoreError.deleted(chunk(1))) { _ = try await write.commit() }
        #expect(try store.isDeleted(chunk(1)))
        #expect(store.usage.usedBytes == 0)
        await store.close()
    }

    @Test func `a deleted chunk is gone for good, also without the index`() async throws {
        var test = try TestStore()
        _ = try await test.store.write(
            chunk(1), owner: [], payload: payload(chunk(1), bytes: 9_000))
        _ = try await test.store.write(chunk(2), owner: [], payload: [2])
        try await test.store.delete([chunk(1), chunk(3)])
        for round in 0..<3 {
            for number in [1, 3] as [UInt64] {
                #expect(throws: ChunkStoreError.deleted(chunk(number)), "round \(round)") {
                    try test.store.open(chunk(number))
                }
                await #expect(throws: ChunkStoreError.deleted(chunk(number))) {
                    _ = try await test.store.write(chunk(number), owner: [], payload: [1])
                }
            }
            #expect(try test.store.listAll(chunk(1).partition) == [chunk(2)])
            await test.store.close()
            if round == 1 { test.removeIndex() }
            try test.reopen()
        }
        #expect(test.store.counters.indexRebuilds == 0)
        await test.store.close()
    }

    @Test func `a dropped chunk may come back`() async throws {
        var test = try TestStore()
        let bytes = payload(chunk(1), bytes: 9_000)
        _ = try await test.store.write(chunk(1), owner: [], payload: bytes)
        test.store.flush()
        try await test.store.drop([chunk(1), chunk(2)])
        #expect(throws: ChunkStoreError.notFound(chunk(1))) { try test.store.open(chunk(1)) }
        #expect(test.store.usage.usedBytes == 0)
        #expect(try test.store.listAll(chunk(1).partition).isEmpty)
        await test.store.close()
        try test.reopen()
        #expect(throws: ChunkStoreError.notFound(chunk(1))) { try test.store.open(chunk(1)) }
        #expect(try await test.store.write(chunk(1), owner: [], payload: bytes) == .written)
        #expect(try test.store.readAll(chunk(1)) == bytes)
        await test.store.close()
    }

    @Test func `deleting gives the space back`() async throws {
        let test = try TestStore(segmentBytes: 1 << 20)
        let store = test.store
        for number in 0..<40 as Range<UInt64> {
            _ = try await store.write(
                chunk(number), owner: [], payload: payload(chunk(number), bytes: 100_000))
        }
        #expect(test.disk.segmentNames.count >= 4)
        try await store.delete((0..<38).map { chunk($0) })
        await store.maintain()
        #expect(test.disk.segmentNames.count == 1)
        #expect(test.disk.usedPages(test.disk.segmentNames[0]) <= 1 + 2 * 25)
        #expect(try store.readAll(chunk(39)) == payload(chunk(39), bytes: 100_000))
        await store.close()
    }

    @Test func `lists in order and by pages, recent and old together`() async throws {
        let test = try TestStore()
        let store = test.store
        var expected: Set<ChunkID> = []
        for number in 0..<60 as Range<UInt64> {
            for partition in [0, 2_047, 2_048, 4_095] as [UInt16] {
                let id = chunk(number, partition: partition)
                _ = try await store.write(id, owner: [], payload: [1])
                if partition == 2_048 { expected.insert(id) }
            }
            if number == 30 { store.flush() }
        }
        for number in stride(from: 0, to: 60, by: 7) {
            let id = chunk(UInt64(number), partition: 2_048)
            try await store.delete([id])
            expected.remove(id)
        }
        let partition = PartitionID(rawValue: 2_048)!
        for pageCount in [1, 7, 100] {
            #expect(
                try store.listAll(partition, pageCount: pageCount) == expected.sorted())
        }
        await store.close()
    }

    @Test func `a corrupt block is found, named and never returned`() async throws {
        var test = try TestStore(segmentBytes: 4 << 20)
        let id = chunk(1)
        let bytes = payload(id, bytes: 3 * Limits.sealedBlockBytes)
        let outcome = try await test.store.write(id, owner: [], payload: bytes)
        #expect(outcome == .written)
        let name = try #require(test.disk.segmentNames.first)
        let place = try #require(
            test.disk.find(Array(bytes[100_000..<100_016]), in: name))
        test.disk.flip(name, at: place)
        let reader = try test.store.open(id)
        #expect(throws: ChunkStoreError.corrupt(id)) { try reader.read(0..<3) }
        #expect(throws: ChunkStoreError.corrupt(id)) { try reader.read(1..<2) }
        #expect(try reader.read(0..<1).elementsEqual(bytes[..<Limits.sealedBlockBytes]))
        #expect(test.store.problems.contains { $0.contains(id.hex) })
        // A crash does not make it torn, hence gone: it was acknowledged.
        test.store.flush()
        try test.store.index.close()
        try test.reopen()
        #expect(throws: ChunkStoreError.corrupt(id)) { try test.store.readAll(id) }
        // A good copy takes its place.
        let replaced = try await test.store.write(id, owner: [], payload: bytes, replacing: true)
        #expect(replaced == .written)
        #expect(try test.store.readAll(id) == bytes)
        #expect(test.store.problems.isEmpty)
        #expect(test.store.usage.chunkCount == 1)
        await test.store.close()
        test.removeIndex()
        try test.reopen()
        #expect(try test.store.readAll(id) == bytes)
        #expect(test.store.counters.indexRebuilds == 1)
        await test.store.close()
    }

    @Test func `a corrupt header is found`() async throws {
        let test = try TestStore()
        _ = try await test.store.write(chunk(1), owner: [1, 2, 3], payload: [9, 9, 9])
        let name = test.disk.segmentNames[0]
        test.disk.flip(name, at: ChunkStoreLimits.segmentHeaderBytes + 70)
        #expect(throws: ChunkStoreError.corrupt(chunk(1))) { try test.store.open(chunk(1)) }
        #expect(test.store.openCached(chunk(1)) == nil)
        await test.store.close()
    }

    @Test func `a damaged segment header loses no chunk`() async throws {
        var test = try TestStore()
        _ = try await test.store.write(chunk(1), owner: [], payload: [9])
        await test.store.close()
        test.disk.flip(test.disk.segmentNames[0], at: 20)
        for isIndexLost in [false, true] {
            if isIndexLost { test.removeIndex() }
            try test.reopen()
            #expect(try test.store.readAll(chunk(1)) == [9])
            await test.store.close()
        }
    }

    @Test func `a lost segment is counted and its chunks are not found`() async throws {
        var test = try TestStore()
        _ = try await test.store.write(chunk(1), owner: [], payload: [9])
        await test.store.close()
        try test.disk.remove(test.disk.segmentNames[0])
        try test.reopen()
        #expect(test.store.counters.lostChunks == 1)
        #expect(!test.store.problems.isEmpty)
        #expect(throws: ChunkStoreError.notFound(chunk(1))) { try test.store.open(chunk(1)) }
        _ = try await test.store.write(chunk(1), owner: [], payload: [9])
        #expect(try test.store.readAll(chunk(1)) == [9])
        await test.store.close()
    }

    @Test func `tombstones go when they are old`() async throws {
        var test = try TestStore(tombstoneFileBytes: 64 << 10)
        let perFile = (64 << 10) / TombstoneRecord.byteCount
        // Two files, so that the first is not the one in use.
        var number: UInt64 = 0
        while number <= UInt64(perFile) {
            try await test.store.delete((number..<number + 1_000).map { chunk($0) })
            number += 1_000
        }
        #expect(try test.store.isDeleted(chunk(0)))
        test.clocks.advance(milliseconds: UInt64(ChunkStoreLimits.tombstoneMilliseconds) + 1)
        await test.store.maintain()
        #expect(try !test.store.isDeleted(chunk(0)))
        #expect(try test.store.isDeleted(chunk(number - 1)))
        await test.store.close()
        try test.reopen()
        #expect(try !test.store.isDeleted(chunk(0)))
        #expect(try test.store.isDeleted(chunk(number - 1)))
        await test.store.close()
    }

    @Test func `files of an unknown version are refused by name`() async throws {
        for file in ["store", "segment-00000001", "deleted-00000001"] {
            var test = try TestStore()
            _ = try await test.store.write(chunk(1), owner: [], payload: [9])
            try await test.store.delete([chunk(2)])
            await test.store.close()
            let header = try test.disk.open(file)
            var bytes = try header.read(0..<SegmentHeader.byteCount)
            bytes[8] = 9
            let sum = CRC32C.of(bytes[4...])
            withUnsafeBytes(of: sum.littleEndian) { bytes.replaceSubrange(0..<4, with: $0) }
            try header.write(bytes, at: 0)
            do {
                try test.reopen()
                Issue.record("\(file) of version 9 was opened")
            } catch let error as ChunkStoreError {
                guard case .unusable(let reason) = error else { throw error }
                #expect(reason.contains("format 9"))
            }
        }
    }

    @Test func `a closed store refuses work and closes twice`() async throws {
        let test = try TestStore()
        await test.store.close()
        await test.store.close()
        await #expect(throws: ChunkStoreError.closed) {
            _ = try await test.store.write(chunk(1), owner: [], payload: [1])
        }
        await #expect(throws: ChunkStoreError.closed) { try await test.store.delete([chunk(1)]) }
    }
}
