import Core
import Testing

@testable import ChunkStore

@Suite struct PartitionListTests {
    @Test func `partitions with chunks are listed, in the index or not`() async throws {
        var test = try TestStore()
        var random = SeededRandom(seed: 2)
        let partitions = try [0, 1, 2_047, 2_048, 4_095].map {
            try #require(PartitionID(rawValue: $0))
        }
        let chunks = partitions.map { ChunkID(high: UInt64($0.rawValue) << 52 | 7, low: 1) }
        for chunk in chunks {
            let bytes = payload(chunk, bytes: 100)
            _ = try await test.store.writeInPieces(chunk, payload: bytes, using: &random)
        }
        #expect(try test.store.partitions() == partitions)
        await test.store.close()
        try test.reopen()
        #expect(try test.store.partitions() == partitions)
        try await test.store.delete([chunks[0], chunks[3]])
        try await test.store.drop([chunks[4]])
        // What is gone may be listed until the index knows.
        #expect(Set(try test.store.partitions()).isSuperset(of: [partitions[1], partitions[2]]))
        await test.store.close()
        try test.reopen()
        #expect(try test.store.partitions() == [partitions[1], partitions[2]])
        await test.store.close()
    }
}
