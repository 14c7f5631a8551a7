import Cloud
import Core

/// When a source is asked next. Pure: time and chance are arguments.
///
/// ```
/// due ── began ──► in flight ── succeeded / failed ──► waits until `nextAt` ──► due
/// ```
package struct DiscoverySchedule: Sendable, Equatable {
    package let price: DiscoveryPrice
    package private(set) var isInFlight = false
    package private(set) var nextAt = MonotonicTime(milliseconds: 0)
    /// In a row.
    package private(set) var failureCount = 0
    private var beganAt: MonotonicTime?
    private var changedAt: MonotonicTime?
    private var lastCallCount = 1
    /// When the last calls were made, oldest first. At most
    /// ``DiscoveryLimits/callsPerMinuteMax``.
    private var calls: [MonotonicTime] = []

    package init(price: DiscoveryPrice) { self.price = price }

    package func isDue(_ now: MonotonicTime) -> Bool { !isInFlight && now >= nextAt }

    /// Whether another round is worth its calls although nobody waits for it: one a minute.
    package func isStale(_ now: MonotonicTime) -> Bool {
        guard let beganAt else { return true }
        let pause = DiscoveryLimits.settledPause * lastCallCount
        return now.milliseconds - beganAt.milliseconds >= pause.wholeMilliseconds
    }

    package mutating func began(_ now: MonotonicTime) {
        precondition(isDue(now), "a source is asked by one at a time, and when it is due")
        isInFlight = true
        beganAt = now
        if changedAt == nil { changedAt = now }
    }

    /// - Parameters:
    ///   - callCount: 0 or more.
    ///   - isChanged: The answer is another than the one before.
    ///   - chance: From 0 up to 1.
    package mutating func succeeded(
        _ now: MonotonicTime, callCount: Int, isChanged: Bool, chance: Double
    ) {
        isInFlight = false
        failureCount = 0
        if isChanged { changedAt = now }
        lastCallCount = max(1, callCount)
        charge(lastCallCount, now)
        let pause: Duration
        switch price {
        case .nothing: pause = .zero
        case .packets: pause = DiscoveryLimits.freePause
        case .calls:
            let quiet = now.milliseconds - (changedAt ?? now).milliseconds
            let isSettled = quiet >= DiscoveryLimits.settlingTime.wholeMilliseconds
            let base = isSettled ? DiscoveryLimits.settledPause : DiscoveryLimits.joiningPause
            pause = base * lastCallCount * (1 + DiscoveryLimits.jitter * chance)
        }
        wait(pause, now)
    }

    /// - Parameters:
    ///   - callCount: What it has cost; `nil`: as much as the last round.
    ///   - retryAfter: What the source asked for.
    package mutating func failed(
        _ now: MonotonicTime, callCount: Int? = nil, retryAfter: Duration?, chance: Double
    ) {
        isInFlight = false
        failureCount += 1
        charge(callCount ?? lastCallCount, now)
        lastCallCount = max(lastCallCount, callCount ?? 1)
        let exponent = min(max(1, failureCount - DiscoveryLimits.quickTries), 6)
        let top = min(DiscoveryLimits.backoffMax, DiscoveryLimits.backoffMin * (1 << exponent))
        let pause = max(DiscoveryLimits.backoffMin, top * chance)
        wait(max(pause, retryAfter ?? .zero), now)
    }

    private mutating func charge(_ count: Int, _ now: MonotonicTime) {
        guard price == .calls else { return }
        calls += Array(repeating: now, count: min(count, DiscoveryLimits.callsPerMinuteMax))
        calls.removeFirst(max(0, calls.count - DiscoveryLimits.callsPerMinuteMax))
    }

    /// Never so soon that the next round would exceed the budget of a minute.
    private mutating func wait(_ pause: Duration, _ now: MonotonicTime) {
        var at = now.milliseconds + pause.wholeMilliseconds
        let room =
            DiscoveryLimits.callsPerMinuteMax
            - min(
                lastCallCount, DiscoveryLimits.callsPerMinuteMax)
        if price == .calls, calls.count > room {
            let blocking = calls[calls.count - room - 1]
            at = max(at, blocking.milliseconds + 60_000)
        }
        nextAt = MonotonicTime(milliseconds: at)
    }
}
