import Simulation
import Testing

@Suite struct RaftWorldTests {
    @Test(arguments: 0..<8)
    func `raft keeps its promises in bad weather`(block: UInt64) {
        let report = RaftWorld.run(seeds: block * 50..<(block + 1) * 50)
        #expect(report.violations.isEmpty, "\(report)")
    }
}
