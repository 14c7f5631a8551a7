import Core
import Foundation
import Testing

@testable import ChunkStore

/// The same on the machine's own file system.
@Suite struct RealFileTests {
    @Test func `deleting frees blocks of the file system`() async throws {
        let folder = TemporaryFolder()
        var random = SeededRandom(seed: 1)
        let store = try await ChunkStore.open(directory: folder.path, capacityBytes: 1 << 30)
        for number in 0..<4 as Range<UInt64> {
            let bytes = payload(chunk(number), bytes: 2 << 20)
            _ = try await store.writeInPieces(chunk(number), payload: bytes, using: &random)
        }
        func blocks() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: folder.path + "/segments")
                .filter { $0.hasPrefix("segment") }
                .reduce(0) { sum, name in
                    var status = stat()
                    #expect(stat(folder.path + "/segments/" + name, &status) == 0)
                    return sum + Int(status.st_blocks) * 512
                }
        }
        let before = try blocks()
        try await store.delete([chunk(0), chunk(1), chunk(2)])
        await store.close()
        #expect(try before - blocks() >= 6 << 20)
        #expect(try blocks() > 0)
    }

    @Test func `readers, writers and deleters at the same time`() async throws {
        let folder = TemporaryFolder()
        let store = try await ChunkStore.open(directory: folder.path, capacityBytes: 256 << 20)
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<8 as Range<UInt64> {
                group.addTask { await work(store, worker: worker) }
            }
            group.addTask {
                for _ in 0..<20 {
                    await store.maintain()
                    await Task.yield()
                }
            }
        }
        #expect(store.failure == nil)
        #expect(store.state.withLock { $0.segments.promisedBytes } == 0)
        let kept = try store.listAll(chunk(0).partition, pageCount: 50)
        #expect(kept.count == 8 * 50)
        for chunk in kept { #expect(try store.readAll(chunk).starts(with: chunk.bytes)) }
        await store.close()
    }

    private func work(_ store: ChunkStore, worker: UInt64) async {
        var random = SeededRandom(seed: worker)
        for step in 0..<100 as Range<UInt64> {
            let id = chunk(worker << 32 | step)
            let bytes = payload(id, bytes: Int.random(in: 100...60_000, using: &random))
            do throws(ChunkStoreError) {
                if step % 3 == 0 {
                    _ = try await store.writeInPieces(id, payload: bytes, using: &random)
                } else {
                    _ = try await store.write(id, owner: [], payload: bytes)
                }
                let isSame = try store.readAll(id) == bytes
                #expect(isSame)
                if step % 2 == 0 {
                    try await store.delete([id])
                    do throws(ChunkStoreError) {
                        _ = try store.open(id)
                        Issue.record("a deleted chunk was opened")
                    } catch {
                        #expect(error == .deleted(id))
                    }
                }
            } catch {
                Issue.record("\(error)")
            }
        }
    }
}
