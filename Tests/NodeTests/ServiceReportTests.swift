import Core
import Foundation
import Testing

@testable import dstnode

private func at(_ seconds: Double) -> MonotonicTime {
    MonotonicTime(milliseconds: 1_000_000 + UInt64(seconds * 1000))
}

@Suite struct ServiceReportTests {
    typealias Facts = ServiceReport.Facts

    private let waiting = Facts(isOpen: true, problem: nil, unreadiness: "2 of 3 coordinators")
    private let ready = Facts(isOpen: true, problem: nil, unreadiness: nil)

    @Test func `a node that waits for others has started`() {
        var report = ServiceReport(watchdog: nil)
        #expect(
            report.message(waiting, now: at(0)) == "READY=1\nSTATUS=not ready: 2 of 3 coordinators")
        #expect(report.message(waiting, now: at(1)) == nil)
        #expect(report.message(ready, now: at(2)) == "STATUS=ready")
        #expect(report.message(ready, now: at(1000)) == nil)
    }

    @Test func `a node that reads its disk asks for more time and is not ready`() {
        var report = ServiceReport(watchdog: nil)
        let reading = Facts(isOpen: false, problem: nil, unreadiness: "not part of the cluster yet")
        #expect(
            report.message(reading, now: at(0))
                == "EXTEND_TIMEOUT_USEC=60000000\nSTATUS=starting: reads what is on the disk")
        #expect(report.message(reading, now: at(9)) == nil)
        #expect(report.message(reading, now: at(10)) == "EXTEND_TIMEOUT_USEC=60000000")
        #expect(report.message(ready, now: at(11)) == "READY=1\nSTATUS=ready")
        // A coordinator that has just formed its cluster opens the catalogue: no second start.
        #expect(
            report.message(reading, now: at(30)) == "STATUS=starting: reads what is on the disk")
    }

    @Test func `a node that is not healthy leaves the watchdog waiting`() {
        var report = ServiceReport(watchdog: .seconds(30))
        #expect(report.pause == .seconds(1))
        #expect(report.message(ready, now: at(0)) == "READY=1\nWATCHDOG=1\nSTATUS=ready")
        #expect(report.message(ready, now: at(9)) == nil)
        #expect(report.message(ready, now: at(10)) == "WATCHDOG=1")
        let broken = Facts(isOpen: true, problem: "the disk failed", unreadiness: "x")
        #expect(report.message(broken, now: at(20)) == "STATUS=unhealthy: the disk failed")
        #expect(report.message(broken, now: at(60)) == nil)
        #expect(report.message(ready, now: at(61)) == "WATCHDOG=1\nSTATUS=ready")
    }

    @Test func `an unhealthy node is not called ready`() {
        var report = ServiceReport(watchdog: nil)
        let broken = Facts(isOpen: true, problem: "the disk failed", unreadiness: nil)
        #expect(report.message(broken, now: at(0)) == "STATUS=unhealthy: the disk failed")
        #expect(report.message(ready, now: at(1)) == "READY=1\nSTATUS=ready")
    }

    @Test func `a short watchdog is pinged in time`() {
        let report = ServiceReport(watchdog: .milliseconds(400))
        #expect(report.pause == .milliseconds(100))
    }

    @Test func `stopping is said once, and the watchdog is pinged on`() {
        var report = ServiceReport(watchdog: .seconds(3))
        _ = report.message(ready, now: at(0))
        var stopping = ready
        stopping.isStopping = true
        let text = "STATUS=stopping: hands over and lets requests under way end"
        #expect(report.message(stopping, now: at(0.5)) == "STOPPING=1\n\(text)")
        #expect(report.message(stopping, now: at(1)) == "WATCHDOG=1")
    }

    @Test func `what was not delivered is said again`() {
        var report = ServiceReport(watchdog: .seconds(30))
        let first = report.message(ready, now: at(0))
        report.forget()
        #expect(report.message(ready, now: at(1)) == first)
    }

    @Test func `a status is one short line whatever a peer says`() {
        let line = ServiceReport.oneLine("a\nREADY=1\u{7F}" + String(repeating: "x", count: 1000))
        #expect(line.hasPrefix("a READY=1 x"))
        #expect(line.utf8.count == ServiceReport.statusBytesMax)
    }
}
