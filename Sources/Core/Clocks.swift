#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Milliseconds since 1970, UTC: for what people and S3 see. It may jump; nothing that must be
/// safe depends on it.
package struct WallTime: Hashable, Sendable, Comparable {
    package let milliseconds: Int64
    package init(milliseconds: Int64) { self.milliseconds = milliseconds }
    package static func < (left: Self, right: Self) -> Bool {
        left.milliseconds < right.milliseconds
    }
}

/// Milliseconds that never go back and go on while the machine sleeps or the process is stopped:
/// for leases and time-outs.
package struct MonotonicTime: Hashable, Sendable, Comparable {
    package let milliseconds: UInt64
    package init(milliseconds: UInt64) { self.milliseconds = milliseconds }
    package static func < (left: Self, right: Self) -> Bool {
        left.milliseconds < right.milliseconds
    }
}

/// The door to time.
package protocol Clocks: Sendable {
    var wall: WallTime { get }
    var monotonic: MonotonicTime { get }
    /// Waits, by the monotonic clock; not shorter.
    ///
    /// - Throws: `CancellationError`, at once, where the task is cancelled.
    func sleep(for duration: Duration) async throws
}

extension Clocks {
    package func sleep(for duration: Duration) async throws {
        try await Task.sleep(for: duration)
    }
}

/// The machine's clocks. Monotonic time is `CLOCK_BOOTTIME` on Linux, which counts suspended time
/// too: a leader's lease must not outlive a suspend.
package struct SystemClocks: Clocks {
    package init() {}

    package var wall: WallTime { WallTime(milliseconds: Int64(Self.read(CLOCK_REALTIME))) }

    package var monotonic: MonotonicTime {
        #if os(Linux)
            MonotonicTime(milliseconds: Self.read(CLOCK_BOOTTIME))
        #else
            MonotonicTime(milliseconds: Self.read(CLOCK_MONOTONIC))
        #endif
    }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        let result = clock_gettime(clock, &time)
        precondition(result == 0, "clock_gettime fails only for a clock that is not there")
        return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
    }
}

extension Duration {
    /// 0 or more.
    package var wholeMilliseconds: UInt64 {
        let (seconds, attoseconds) = components
        return UInt64(max(0, seconds)) * 1000 + UInt64(max(0, attoseconds) / 1_000_000_000_000_000)
    }
}
