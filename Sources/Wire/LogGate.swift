import NIOCore
import Synchronization

/// Lets so many lines a second through, so that strangers at the port can't fill the log.
final class LogGate: Sendable {
    private struct State {
        var windowEnd = NIODeadline.uptimeNanoseconds(0)
        var count = 0
        var suppressed = 0
    }

    private let linesPerSecondMax: Int
    private let state = Mutex(State())

    init(linesPerSecondMax: Int = WireLimits.refusalLinesPerSecondMax) {
        self.linesPerSecondMax = linesPerSecondMax
    }

    /// - Returns: How many lines were left out since the last that passed; `nil` to leave this one
    ///   out, too.
    func pass(now: NIODeadline = .now()) -> Int? {
        state.withLock { state in
            if now >= state.windowEnd {
                state.windowEnd = now + .seconds(1)
                state.count = 0
            }
            guard state.count < linesPerSecondMax else {
                state.suppressed += 1
                return nil
            }
            state.count += 1
            defer { state.suppressed = 0 }
            return state.suppressed
        }
    }
}
