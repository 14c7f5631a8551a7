import Core
import Raft
import Testing

@Suite struct LimitsTests {
    @Test func `limits fit each other`() {
        RaftLimits.check()
        RaftConfiguration(id: NodeID(high: 0, low: 1)).check()
    }
}
