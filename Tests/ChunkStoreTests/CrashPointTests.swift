import Core
import Simulation
import Testing

@testable import ChunkStore

/// Every point of short workloads, between all changes of the segments, of the tombstones and of
/// SQLite's files, and every way in which a disk may leave what was not synced, the index included.
@Suite struct CrashPointTests {
    private typealias Step = @Sendable (inout CrashingStore) async throws -> Void

    /// By pages that their extents take.
    private static let one = sized(100...3_800, count: 12)
    private static let two = sized(4_200...7_900, count: 6)
    private static let four = sized(12_500...15_900, count: 4)

    private static func sized(_ bytes: ClosedRange<Int>, count: Int) -> [ChunkID] {
        let chunks = (1...4_000 as ClosedRange<UInt64>).lazy.map { chunk($0) }
        return Array(
            chunks.filter { bytes.contains(ChunkModel.byteCount(of: $0)) }.prefix(count))
    }

    private static func wait(_ milliseconds: UInt64) -> Step {
        {
            $0.test.clocks.advance(milliseconds: milliseconds)
            await $0.maintain()
        }
    }

    private static let workloads: [String: [Step]] = [
        "writes": [
            { try await $0.write(one[0]) },
            { try await $0.write(two[0]) },
            { try await $0.begin(two[1]) },
            { try await $0.write(one[1]) },
            { await $0.flush() },
            { try await $0.write(one[0], replacing: true) },
            { try await $0.commit(0) },
            { try await $0.begin(two[2]) },
            { try await $0.append(5_000, to: 0) },
            { await $0.abort(0) },
            { try await $0.write(four[0]) },
            { await $0.flush() },
            { try await $0.write(two[2]) },
        ],
        "deletes": [
            { for chunk in one[..<3] { try await $0.write(chunk) } },
            { try await $0.write(two[0]) },
            { await $0.flush() },
            { try await $0.delete([one[0]]) },
            { try await $0.drop([one[1]]) },
            { try await $0.write(one[1]) },
            { try await $0.write(two[0], replacing: true) },
            wait(2_500),
            { try await $0.drop([one[1], two[0]]) },
            { try await $0.delete([one[3], one[2]]) },
            wait(61_000),
            { try await $0.write(two[0]) },
            { try await $0.delete([two[0]]) },
            wait(61_000),
        ],
        // Small segments that fill up, die and go; tombstone files that follow one another.
        "segments": [
            { for chunk in four { try await $0.write(chunk) } },
            { try await $0.write(two[0]) },
            wait(2_500),
            { try await $0.drop([four[0], four[1]]) },
            { try await $0.write(two[1]) },
            { try await $0.delete([four[2]]) },
            { try await $0.drop([four[3], two[0]]) },
            wait(61_000),
            { try await $0.write(four[0]) },
            { for chunk in one[..<6] { try await $0.write(chunk) } },
            { try await $0.delete(Array(one[..<6])) },
            { try await $0.write(two[0]) },
            wait(61_000),
            {
                let month = UInt64(ChunkStoreLimits.tombstoneMilliseconds) + 1
                $0.test.clocks.advance(milliseconds: month)
                $0.model.expire()
                try await $0.delete([two[2]])
                await $0.maintain()
            },
            { try await $0.write(two[3]) },
        ],
    ]

    @Test(arguments: workloads.keys.sorted())
    func `the power may go at any point and leave anything`(workload: String) async throws {
        guard CrashPlace.isWanted(workload: workload) else { return }
        let journal = CrashJournal(indexCutCount: 2)
        var store = try CrashingStore(
            segmentBytes: CrashCheck.segmentBytes,
            tombstoneFileBytes: CrashCheck.tombstoneFileBytes, journal: journal)
        for step in Self.workloads[workload]! {
            try await step(&store)
            #expect(!store.isDead)
        }
        await store.store.close()
        journal.end()
        var check = CrashCheck(workload, journal.points)
        try await check.run()
        print("COUNT", workload, journal.points.count, check.imageCount, check.recoveryCount)
        #expect(check.wrong.isEmpty, "\(check.wrong.joined(separator: "\n"))")
        #expect(CrashPlace.isReplay || check.imageCount > 200)
    }
}
