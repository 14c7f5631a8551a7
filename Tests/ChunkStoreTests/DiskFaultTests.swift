import Core
import Testing

@testable import ChunkStore

/// Disks that fill up and fail.
@Suite struct DiskFaultTests {
    @Test func `the capacity is a limit for writers at the same time`() async throws {
        let test = try TestStore(capacity: 1 << 20)
        let store = test.store
        let outcomes = await withTaskGroup(of: (UInt64, Bool).self) { group in
            for number in 0..<200 as Range<UInt64> {
                group.addTask {
                    let id = chunk(number)
                    let bytes = payload(id, bytes: 10_000)
                    do throws(ChunkStoreError) {
                        if number % 2 == 0 {
                            _ = try await store.write(id, owner: [], payload: bytes)
                        } else {
                            var random = SeededRandom(seed: number)
                            _ = try await store.writeInPieces(
                                id, payload: bytes, using: &random)
                        }
                        return (number, true)
                    } catch {
                        #expect(error == .full)
                        return (number, false)
                    }
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        let stored = outcomes.filter(\.value).map(\.key)
        #expect(stored.count == (1 << 20) / 12_288)
        #expect(store.usage.usedBytes == stored.count * 12_288)
        #expect(store.usage.freeBytes < 12_288)
        for number in stored { #expect(try store.readAll(chunk(number)).count == 10_000) }
        // Room comes back.
        try await store.delete(stored.prefix(3).map { chunk($0) })
        _ = try await store.write(chunk(1_000), owner: [], payload: [1])
        await store.close()
    }

    @Test func `no room within a write is full, not a failure`() async throws {
        let test = try TestStore()
        let store = test.store
        _ = try await store.write(chunk(1), owner: [], payload: [1])
        _ = try await store.write(
            chunk(4), owner: [], payload: payload(chunk(4), bytes: 9))
        var random = SeededRandom(seed: 1)
        test.disk.with { $0.isWriteFull = true }
        await #expect(throws: ChunkStoreError.full) {
            _ = try await store.write(chunk(2), owner: [], payload: [2])
        }
        await #expect(throws: ChunkStoreError.full) {
            _ = try await store.writeInPieces(chunk(3), payload: [3], using: &random)
        }
        test.disk.with { $0.isWriteFull = false }
        _ = try await store.write(chunk(2), owner: [], payload: [2])
        #expect(try store.readAll(chunk(2)) == [2])
        #expect(store.failure == nil)
        await store.close()
    }

    @Test func `after a failed sync nothing is acknowledged, and reading goes on`() async throws {
        var test = try TestStore()
        let store = test.store
        _ = try await store.write(chunk(1), owner: [], payload: [1])
        test.disk.with { $0.failsSyncs = true }
        await #expect(throws: ChunkStoreError.self) {
            _ = try await store.write(chunk(2), owner: [], payload: [2])
        }
        test.disk.with { $0.failsSyncs = false }
        for number in 2..<5 as Range<UInt64> {
            do throws(ChunkStoreError) {
                _ = try await store.write(chunk(number), owner: [], payload: [2])
                Issue.record("acknowledged after a failed sync")
            } catch {
                guard case .diskFailed = error else {
                    Issue.record("\(error)")
                    continue
                }
            }
        }
        await #expect(throws: ChunkStoreError.self) { try await store.delete([chunk(1)]) }
        #expect(throws: ChunkStoreError.self) {
            try store.beginWrite(chunk(9), bytes: 1, owner: [])
        }
        #expect(store.failure != nil)
        #expect(!store.problems.isEmpty)
        #expect(try store.readAll(chunk(1)) == [1])
        await store.close()
        try test.reopen()
        #expect(try test.store.readAll(chunk(1)) == [1])
        _ = try await test.store.write(chunk(7), owner: [], payload: [7])
        await test.store.close()
    }

    @Test func `waiting writes share a sync`() async throws {
        let test = try TestStore()
        let store = test.store
        _ = try await store.write(chunk(1_000), owner: [], payload: [1])
        test.disk.with { $0.syncMicroseconds = 5_000 }
        let before = store.counters
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<64 as Range<UInt64> {
                group.addTask {
                    _ = try? await store.write(
                        chunk(number), owner: [], payload: payload(chunk(number), bytes: 1_000))
                }
            }
        }
        let after = store.counters
        #expect(after.chunksWritten - before.chunksWritten == 64)
        #expect((after.segmentSyncs - before.segmentSyncs) * 5 <= 64)
        await store.close()
    }

    @Test func `no read of the index blocks while it can't be written`() async throws {
        let test = try TestStore()
        let store = test.store
        for number in 0..<10 as Range<UInt64> {
            _ = try await store.write(chunk(number), owner: [], payload: [1])
        }
        try store.index.close()
        // Recent chunks are found without it, and what it would have to answer is an error.
        #expect(try store.readAll(chunk(3)) == [1])
        #expect(throws: ChunkStoreError.self) { try store.readAll(chunk(99)) }
        #expect(store.failure != nil)
    }
}
