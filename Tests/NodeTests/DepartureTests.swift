import Cloud
import Core
import Logging
import Synchronization
import Testing

@testable import dstnode

private final class HandClocks: Clocks {
    private let milliseconds = Mutex<UInt64>(0)
    var wall: WallTime { WallTime(milliseconds: Int64(milliseconds.withLock { $0 })) }
    var monotonic: MonotonicTime {
        MonotonicTime(milliseconds: milliseconds.withLock { $0 })
    }
    func advance(_ count: UInt64) { milliseconds.withLock { $0 += count } }
}

/// A cloud that announces what the test says, and remembers the answers.
private final class Watch: LifecycleWatch {
    let answers = Mutex<[LifecycleResult]>([])
    private let notice: LifecycleNotice

    init(_ notice: LifecycleNotice) { self.notice = notice }

    var pause: Duration { .milliseconds(1) }
    var heartbeatPause: Duration? { nil }
    func look() async throws(CloudError) -> LifecycleNotice? { notice }
    func heartbeat(_ notice: LifecycleNotice) async throws(CloudError) {}
    func answer(
        _ notice: LifecycleNotice, _ result: LifecycleResult
    ) async throws(CloudError) {
        answers.withLock { $0.append(result) }
    }
}

@Suite(.timeLimit(.minutes(1))) struct DepartureTests {
    private let clocks = HandClocks()

    private func watch(
        _ notice: LifecycleNotice, _ obstacle: @escaping @Sendable () -> String? = { nil }
    ) -> (DepartureWatch, Watch) {
        let cloud = Watch(notice)
        let watch = DepartureWatch(
            watch: cloud, node: Departing(depart: { _ in }, keepsIt: { obstacle() }),
            clocks: clocks,
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        return (watch, cloud)
    }

    private func notice(deadline: Int64? = nil) -> LifecycleNotice {
        LifecycleNotice(
            kind: .groupTermination, detail: "test",
            deadline: deadline.map { WallTime(milliseconds: $0) })
    }

    @Test func `nothing is said before leaders and load balancers had time`() {
        let (watch, _) = watch(notice())
        #expect(watch.decide(notice(), nil, since: clocks.monotonic) == nil)
        let begun = clocks.monotonic
        clocks.advance(DepartureLimits.settleMilliseconds)
        #expect(watch.decide(notice(), nil, since: begun) == .safe)
    }

    @Test func `who holds something is never called safe`() {
        let (watch, _) = watch(notice())
        let begun = clocks.monotonic
        clocks.advance(DepartureLimits.settleMilliseconds)
        #expect(watch.decide(notice(), "it holds", since: begun) == nil)
        let soon = notice(
            deadline: clocks.wall.milliseconds + DepartureLimits.answerBeforeMilliseconds - 1)
        #expect(watch.decide(soon, "it holds", since: begun) == .unsafe)
        let late = notice(
            deadline: clocks.wall.milliseconds + DepartureLimits.answerBeforeMilliseconds)
        #expect(watch.decide(late, "it holds", since: begun) == nil)
        clocks.advance(DepartureLimits.waitMillisecondsMax)
        #expect(watch.decide(notice(), "it holds", since: begun) == .unsafe)
    }

    @Test func `the cloud is answered once`() async throws {
        let (watch, cloud) = watch(notice())
        let running = Task { await watch.run() }
        while cloud.answers.withLock({ $0.isEmpty }) {
            clocks.advance(DepartureLimits.settleMilliseconds)
            try await Task.sleep(for: .milliseconds(5))
        }
        clocks.advance(DepartureLimits.answerPauseMilliseconds * 4)
        try await Task.sleep(for: DepartureLimits.pause * 2)
        running.cancel()
        await running.value
        #expect(cloud.answers.withLock { $0 } == [.safe])
    }

    @Test func `a restart is no departure`() async throws {
        let (watch, cloud) = watch(LifecycleNotice(kind: .maintenance, detail: "reboot"))
        let running = Task { await watch.run() }
        clocks.advance(DepartureLimits.settleMilliseconds)
        try await Task.sleep(for: .milliseconds(50))
        running.cancel()
        await running.value
        #expect(cloud.answers.withLock { $0.isEmpty })
    }

    @Test func `the limits agree with each other`() { DepartureLimits.check() }
}
