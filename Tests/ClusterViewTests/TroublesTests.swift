import Core
import Testing

@testable import ClusterView

private func at(_ milliseconds: UInt64) -> MonotonicTime {
    MonotonicTime(milliseconds: milliseconds)
}

@Suite struct TroublesTests {
    @Test func `what is wrong is said once, and again when it has changed`() {
        var troubles = Troubles()
        troubles.add("b:9000: no answer in time")
        troubles.add("a:9000: knows no leader")
        let first = "a:9000: knows no leader; b:9000: no answer in time"
        #expect(troubles.text == nil)
        #expect(troubles.roundEnded(now: at(1_000)) == first)
        #expect(troubles.text == first)

        troubles.add("b:9000: no answer in time")
        troubles.add("a:9000: knows no leader")
        #expect(troubles.roundEnded(now: at(60_000)) == nil)

        troubles.add("a:9000: knows no leader")
        #expect(troubles.roundEnded(now: at(61_000)) == "a:9000: knows no leader")
    }

    @Test func `what changes all the time is said now and then`() {
        var troubles = Troubles()
        var said = 0
        for round in 0..<400 {
            troubles.add("a:9000: trouble \(round)")
            if troubles.roundEnded(now: at(UInt64(round) * 100)) != nil { said += 1 }
        }
        // 40 s, a line every 5 s.
        #expect(said == 8)
        #expect(troubles.text == "a:9000: trouble 399")
    }

    @Test func `a change that came too early is said later`() {
        var troubles = Troubles()
        troubles.add("a")
        #expect(troubles.roundEnded(now: at(0)) == "a")
        for time in stride(from: UInt64(1_000), to: 5_000, by: 1_000) {
            troubles.add("b")
            #expect(troubles.roundEnded(now: at(time)) == nil)
            #expect(troubles.text == "b")
        }
        troubles.add("b")
        #expect(troubles.roundEnded(now: at(5_000)) == "b")
    }

    @Test func `one line holds so much and no more`() {
        var troubles = Troubles()
        for number in 0..<100 { troubles.add("node \(number)") }
        let text = troubles.roundEnded(now: at(0)) ?? ""
        #expect(text.split(separator: ";").count == ClusterViewLimits.troublesMax)
        #expect(troubles.roundEnded(now: at(9_000))?.contains("check discovery") == true)
    }
}
