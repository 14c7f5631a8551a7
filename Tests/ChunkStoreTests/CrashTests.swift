import Core
import Simulation
import Testing

@testable import ChunkStore

/// Power cuts and kills at random and at every point, with the index whole, old or lost.
@Suite struct CrashTests {
    @Test(arguments: 0..<64 as Range<UInt64>)
    func `a crash loses nothing and brings nothing back`(seed: UInt64) async throws {
        var workload = try CrashWorkload(seed: seed, hasBursts: seed % 4 == 3)
        let wrong = try await workload.run(steps: 70)
        #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
        #expect(workload.crashCount > 1)
    }

    /// A short day of a store: what it writes goes, comes again, and goes with its segment.
    private static let script: [@Sendable (inout CrashingStore) async throws -> Void] = [
        { try await $0.write(tiny) },
        { try await $0.write(wide[0]) },
        { await $0.flush() },
        { try await $0.drop([tiny]) },
        { try await $0.write(tiny) },
        { try await $0.write(wide[0], replacing: true) },
        { try await $0.writeInPieces(large) },
        { try await $0.drop([tiny, large]) },
        { try await $0.write(wide[1]) },
        {
            $0.test.clocks.advance(milliseconds: 61_000)
            await $0.maintain()
        },
        { try await $0.delete([wide[0], tiny]) },
        { try await $0.drop([wide[1]]) },
        {
            $0.test.clocks.advance(milliseconds: 61_000)
            await $0.maintain()
        },
        { try await $0.write(wide[1]) },
    ]

    private static let tiny = sized(100...4_000)[0]
    private static let wide = sized(100_000...140_000)
    private static let large = sized(262_209...300_000)[0]

    private static func sized(_ bytes: ClosedRange<Int>) -> [ChunkID] {
        let chunks = (1...500 as ClosedRange<UInt64>).lazy.map { chunk($0) }
        return Array(chunks.filter { bytes.contains(ChunkModel.byteCount(of: $0)) }.prefix(2))
    }

    /// Runs the script until the power goes.
    ///
    /// - Returns: Whether it came to the end before.
    private func run(
        _ store: inout CrashingStore, cutAt point: Int, appliesLast: Bool
    ) async throws -> Bool {
        store.test.disk.with {
            $0.operationsLeft = point
            $0.appliesLast = appliesLast
        }
        for step in Self.script {
            store.copyIndex()
            try await step(&store)
            if store.isDead { return false }
        }
        return true
    }

    @Test(arguments: [false, true])
    func `the power may go at any operation of the disk`(appliesLast: Bool) async throws {
        var point = 0
        while true {
            var store = try CrashingStore()
            let isDone = try await run(&store, cutAt: point, appliesLast: appliesLast)
            try await store.end()
            for (number, loss) in PowerLoss.allCases.enumerated() {
                try await check(store, point, loss, .nothing)
                // Each of the others with each loss, over two points.
                let other = [IndexLoss.everything, .latest][(number + point) % 2]
                try await check(store, point, loss, other)
            }
            if isDone { break }
            point += 1
        }
        #expect(point > 40)
    }

    private func check(
        _ store: CrashingStore, _ point: Int, _ loss: PowerLoss, _ indexLoss: IndexLoss
    ) async throws {
        var random = SeededRandom(seed: UInt64(point))
        let place = "operation \(point), \(loss), index \(indexLoss)"
        var after = try store.afterCut(loss, indexLoss, using: &random)
        var wrong = try after.check()
        #expect(wrong.isEmpty, "\(place): \(wrong.joined(separator: "\n"))")
        // What was decided once stays so without the index.
        if indexLoss != .everything {
            try await after.cut(.nothing, .everything, using: &random)
            wrong = try after.check()
            #expect(wrong.isEmpty, "\(place), then without: \(wrong.joined(separator: "\n"))")
        }
        await after.store.close()
    }
}
