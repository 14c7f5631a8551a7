import Testing

@testable import Wire

@Suite struct MethodTests {
    @Test func `chunks go by the bulk lane and raft by control`() {
        #expect(MethodRule.of(.chunkWrite)?.lane == .bulk)
        #expect(MethodRule.of(.raft)?.lane == .control)
    }
}
