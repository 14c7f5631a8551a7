import Cloud
import Testing

@Suite struct LimitTests {
    @Test func `limits fit each other`() { CloudLimits.check() }
}
