import Simulation
import Testing

@Suite struct LinearizabilityRandomTests {
    /// 12,000 histories of up to eight operations.
    @Test(arguments: 0..<8)
    func `the checker says what the definition says`(block: UInt64) throws {
        var (goodCount, badCount) = (0, 0)
        for seed in block * 1_500..<(block + 1) * 1_500 {
            let operations = RandomHistory.make(seed: seed)
            let expected = BruteForce.explains(operations)
            let found = try LinearizabilityChecker().check(ClientHistory(operations))
            let told = "\(operations.map(\.description).joined(separator: "\n"))"
            #expect(found.isEmpty == expected, "seed \(seed): \(found)\n\(told)")
            if expected { goodCount += 1 } else { badCount += 1 }
        }
        #expect(min(goodCount, badCount) > 300, "\(goodCount) good, \(badCount) bad")
    }

    @Test func `the load of a true store is found good, and one wrong answer in it bad`() throws {
        let operations = BusyStore.operations(count: 4_000, keyCount: 16, clientCount: 10, seed: 1)
        #expect(try LinearizabilityChecker().check(ClientHistory(operations)).isEmpty)
        let reads = operations.indices.filter { number in
            if case .read(_, .some) = operations[number].kind { true } else { false }
        }
        var badCount = 0
        for number in stride(from: 0, to: reads.count, by: reads.count / 20).map({ reads[$0] }) {
            guard let wrong = BusyStore.stale(operations[number], in: operations) else { continue }
            var changed = operations
            changed[number] = wrong
            let found = try LinearizabilityChecker().check(ClientHistory(changed))
            #expect(found.count == 1 && wrong.touches(found[0].key), "\(wrong): \(found)")
            badCount += 1
        }
        #expect(badCount > 10)
    }
}
