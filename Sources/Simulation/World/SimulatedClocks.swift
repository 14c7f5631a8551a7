import Core
import Synchronization

/// The clocks of one node: they run a little fast or slow, and the wall clock may jump.
///
/// `@unchecked Sendable`: confined to the thread of its ``SimulatedTime``.
package final class SimulatedClocks: Clocks, @unchecked Sendable {
    /// 2026-01-01, where worlds begin.
    private static let beginning: Int64 = 1_767_225_600_000

    private let time: SimulatedTime
    /// Millionths by which the clock is fast.
    private let drift: Int64
    /// Nanoseconds that were shown when the world began.
    private let start: UInt64
    package var wallOffset: Int64 = 0
    private var sleepers: [UInt64: CheckedContinuation<Void, any Error>] = [:]
    private var nextSleeper: UInt64 = 0

    package init(_ time: SimulatedTime, driftMillionths: Int64 = 0) {
        self.time = time
        drift = driftMillionths
        start = .random(in: 1_000_000_000...1_000_000_000_000, using: &time.random)
    }

    /// Monotonic, by this node's clock.
    package var nanoseconds: UInt64 {
        start + UInt64(Int64(time.now) + Int64(time.now) / 1_000_000 * drift)
    }

    /// How long the world takes for what this clock shows as `duration`.
    package func worldDuration(_ duration: UInt64) -> UInt64 {
        UInt64(max(0, Int64(duration) - Int64(duration) / 1_000_000 * drift))
    }

    package var monotonic: MonotonicTime { MonotonicTime(milliseconds: nanoseconds / 1_000_000) }

    package var wall: WallTime {
        WallTime(
            milliseconds: Self.beginning + Int64(nanoseconds - start) / 1_000_000 + wallOffset)
    }

    package func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        let id = nextSleeper
        nextSleeper += 1
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation {
                (continuation: CheckedContinuation<Void, any Error>) in
                if Task.isCancelled {
                    return continuation.resume(throwing: CancellationError())
                }
                sleepers[id] = continuation
                let (seconds, attoseconds) = duration.components
                let nanoseconds =
                    UInt64(max(0, seconds)) * 1_000_000_000
                    + UInt64(max(0, attoseconds)) / 1_000_000_000
                time.after(worldDuration(nanoseconds)) {
                    self.sleepers.removeValue(forKey: id)?.resume()
                }
            }
        } onCancel: {
            sleepers.removeValue(forKey: id)?.resume(throwing: CancellationError())
        }
    }
}
