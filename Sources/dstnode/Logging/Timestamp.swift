import Core
import Foundation

/// Times as people and machines read them.
enum Timestamp {
    /// `2026-11-24T00:05:17.042Z`.
    static func iso8601(_ time: WallTime) -> String {
        var seconds = time_t(time.milliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ number: some BinaryInteger, _ width: Int = 2) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = [
            padded(parts.tm_year + 1900, 4), padded(parts.tm_mon + 1), padded(parts.tm_mday),
        ]
        let clock = [padded(parts.tm_hour), padded(parts.tm_min), padded(parts.tm_sec)]
        return date.joined(separator: "-") + "T" + clock.joined(separator: ":") + "."
            + padded(time.milliseconds % 1000, 3) + "Z"
    }
}
