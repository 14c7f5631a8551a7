import Cloud
import Core
import Testing

@testable import Discovery

@Suite struct ScheduleTests {
    private func time(_ seconds: Double) -> MonotonicTime {
        MonotonicTime(milliseconds: UInt64(1_000_000 + seconds * 1000))
    }

    @Test func `limits fit each other`() { DiscoveryLimits.check() }

    /// Simulates 250 ms polling; returns when rounds were started.
    private func run(
        _ price: DiscoveryPrice, seconds: Int, calls: Int = 1, seed: UInt64 = 1,
        fails: (Int) -> Bool = { _ in false }, changes: Bool = false
    ) -> [Double] {
        var schedule = DiscoverySchedule(price: price)
        var random = SeededRandom(seed: seed)
        var starts: [Double] = []
        for tick in 0..<(seconds * 4) {
            let now = time(Double(tick) / 4)
            guard schedule.isDue(now) else { continue }
            schedule.began(now)
            let chance = Double.random(in: 0..<1, using: &random)
            if fails(starts.count) {
                schedule.failed(now, retryAfter: nil, chance: chance)
            } else {
                schedule.succeeded(now, callCount: calls, isChanged: changes, chance: chance)
            }
            starts.append(Double(tick) / 4)
        }
        return starts
    }

    /// The most starts in any 60 s, times `calls`.
    private func worst(_ starts: [Double], calls: Int = 1) -> Int {
        starts.map { start in starts.count { $0 >= start && $0 < start + 60 } * calls }.max() ?? 0
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `no minute has more than ten calls`(seed: UInt64) {
        for calls in [1, 2, 3] {
            let failing = run(.calls, seconds: 600, calls: calls, seed: seed, fails: { _ in true })
            #expect(worst(failing) <= 10)
            let halved = run(
                .calls, seconds: 600, calls: calls, seed: seed, fails: { $0 % 2 == 0 },
                changes: true)
            #expect(worst(halved, calls: calls) <= 10 + calls)
            let joining = run(.calls, seconds: 300, calls: calls, seed: seed, changes: true)
            #expect(worst(joining, calls: calls) <= 10)
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `one call a minute when nothing changes`(seed: UInt64) {
        let starts = run(.calls, seconds: 3600, seed: seed).filter { $0 > 380 }
        #expect(worst(starts) == 1)
        #expect(starts.count > 40)
    }

    @Test func `where nobody waits two calls take two minutes`() {
        var schedule = DiscoverySchedule(price: .calls)
        #expect(schedule.isStale(time(0)))
        schedule.began(time(0))
        schedule.succeeded(time(1), callCount: 2, isChanged: true, chance: 0)
        #expect(!schedule.isStale(time(119)) && schedule.isStale(time(120)))
        #expect(!schedule.isDue(time(12)) && schedule.isDue(time(13)))
    }

    @Test func `a start is answered soon`() {
        #expect(run(.calls, seconds: 15).count >= 2)
        #expect(run(.packets, seconds: 15).count >= 14)
        #expect(run(.nothing, seconds: 15).count == 60)
    }

    @Test func `what the source asks for is kept`() {
        var schedule = DiscoverySchedule(price: .calls)
        schedule.began(time(0))
        schedule.failed(time(0), retryAfter: .seconds(90), chance: 0)
        #expect(!schedule.isDue(time(89)) && schedule.isDue(time(90)))
    }

    @Test func `one asks at a time`() {
        var schedule = DiscoverySchedule(price: .nothing)
        schedule.began(time(0))
        #expect(!schedule.isDue(time(100)))
        schedule.succeeded(time(100), callCount: 0, isChanged: false, chance: 0)
        #expect(schedule.isDue(time(100)))
    }

    @Test func `what a failed round has cost is counted`() {
        var schedule = DiscoverySchedule(price: .calls)
        var at = 0.0
        // Two calls each: after five rounds the minute is used up.
        for _ in 0..<5 {
            schedule.began(time(at))
            schedule.failed(time(at), callCount: 2, retryAfter: nil, chance: 0)
            if !schedule.isDue(time(at + 1)) { break }
            at += 1
        }
        #expect(at == 4)
        #expect(!schedule.isDue(time(59)) && schedule.isDue(time(60)))
    }

    @Test func `pauses after errors grow to a minute`() {
        var schedule = DiscoverySchedule(price: .packets)
        var at = 0.0
        var pauses: [Double] = []
        for _ in 0..<10 {
            schedule.began(time(at))
            schedule.failed(time(at), retryAfter: nil, chance: 0.999)
            let pause = Double(schedule.nextAt.milliseconds - time(at).milliseconds) / 1000
            pauses.append(pause.rounded())
            at += pause
        }
        #expect(pauses == [2, 2, 2, 2, 4, 8, 16, 32, 60, 60])
    }
}
