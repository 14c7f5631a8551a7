import Foundation
import Testing

@testable import Simulation

/// Whole clusters. Many more seeds: `dstnode simulate cluster`.
@Suite(.serialized) struct ClusterWorldTests {
    private func live(_ seed: UInt64) throws -> WorldReport {
        let world = ClusterWorld(seed: seed, in: FileManager.default.temporaryDirectory.path)
        defer { world.end() }
        return try world.live(troubleFor: 10_000)
    }

    @Test(arguments: [UInt64(3), 4])
    func `a cluster goes through trouble, and its clients notice nothing wrong`(
        seed: UInt64
    ) throws {
        let report = try live(seed)
        #expect(report.operationCount > 100, "\(report)")
        #expect(report.disasterCount > 1, "\(report)")
    }
}
