import Core

/// Decides what the service manager is told of the node, and when. Pure: no clock, no socket.
///
/// `READY=1` is said once all is done that needs no other node: the port is open and the disk is
/// read. Whether the node can serve its role depends on others and may take for ever, so it is no
/// part of starting: it is in `STATUS=`, and `/ready` tells it.
struct ServiceReport: Sendable {
    /// How the node is now.
    struct Facts: Sendable, Equatable {
        /// All that needs no other node is done.
        var isOpen: Bool
        /// What `/health` complains about; `nil` where it doesn't.
        var problem: String?
        /// Why `/ready` says no; `nil` where it says yes.
        var unreadiness: String?
        /// The node was asked to stop.
        var isStopping = false
    }

    /// How much longer a start may take after each word from a node that still reads its disk.
    static let startExtension = Duration.seconds(60)
    static let startExtensionPause = Duration.seconds(10)
    /// Longer ones are cut.
    static let statusBytesMax = 500

    private let watchdog: Duration?
    private var hasSaidReady = false
    private var hasSaidStopping = false
    private var status: String?
    private var pingedAt: MonotonicTime?
    private var extendedAt: MonotonicTime?

    /// - Parameter watchdog: What the service manager waits between two pings; `nil` where it
    ///   wants none.
    init(watchdog: Duration?) { self.watchdog = watchdog }

    /// How often to ask for the next message: four times within the watchdog's patience, every
    /// second otherwise.
    var pause: Duration {
        min(.seconds(1), watchdog.map { $0 / 4 } ?? .seconds(1))
    }

    /// - Returns: Lines for one datagram; `nil` where there is nothing to say.
    mutating func message(_ facts: Facts, now: MonotonicTime) -> String? {
        var lines: [String] = []
        if facts.isStopping {
            if !hasSaidStopping { lines.append("STOPPING=1") }
            hasSaidStopping = true
        } else if facts.problem == nil, !hasSaidReady {
            if facts.isOpen {
                lines.append("READY=1")
                hasSaidReady = true
            } else if isDue(extendedAt, Self.startExtensionPause, now) {
                lines.append("EXTEND_TIMEOUT_USEC=\(Self.microseconds(Self.startExtension))")
                extendedAt = now
            }
        }
        // Silence is what makes the watchdog bite.
        if let watchdog, facts.problem == nil, isDue(pingedAt, watchdog / 3, now) {
            lines.append("WATCHDOG=1")
            pingedAt = now
        }
        let text = Self.oneLine(statusText(facts))
        if text != status { lines.append("STATUS=\(text)") }
        status = text
        return lines.isEmpty ? nil : lines.joined(separator: "\n")
    }

    /// The last message was not delivered: all is said again.
    mutating func forget() {
        hasSaidReady = false
        hasSaidStopping = false
        status = nil
        pingedAt = nil
        extendedAt = nil
    }

    private func statusText(_ facts: Facts) -> String {
        if facts.isStopping { return "stopping: hands over and lets requests under way end" }
        if let problem = facts.problem { return "unhealthy: \(problem)" }
        if !facts.isOpen { return "starting: reads what is on the disk" }
        return facts.unreadiness.map { "not ready: \($0)" } ?? "ready"
    }

    private func isDue(
        _ last: MonotonicTime?, _ pause: Duration, _ now: MonotonicTime
    ) -> Bool {
        guard let last else { return true }
        return .milliseconds(Int64(clamping: now.milliseconds - last.milliseconds)) >= pause
    }

    private static func microseconds(_ duration: Duration) -> Int64 {
        duration.components.seconds * 1_000_000
    }

    /// Whatever a peer said of itself, a status is one line.
    static func oneLine(_ text: String) -> String {
        let bytes = text.utf8.prefix(statusBytesMax).map { byte in
            byte < 0x20 || byte == 0x7F ? UInt8(ascii: " ") : byte
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
