import Core
import Logging

/// Writes one line per event: text for people, JSON for machines, text for systemd's journal, which
/// knows the time itself and reads the level from a prefix (sd-daemon(3)).
///
/// ```
/// 2026-11-24T00:05:17.042Z info  storage s1: chunk write action=commit chunk.id=00f…
/// {"time":"2026-11-24T00:05:17.042Z","level":"info","logger":"storage","message":"chunk write",…}
/// <6>storage s1: chunk write action=commit chunk.id=00f…
/// ```
struct LineLogHandler: LogHandler {
    enum Format: Sendable { case text, json, journal }

    /// Where whole lines go; one call per line, from any thread.
    typealias Output = @Sendable (String) -> Void

    /// Longer lines are cut: a log is no way to fill a disk.
    static let lineBytesMax = 16 << 10

    private let label: String
    private let format: Format
    private let clocks: any Clocks
    private let output: Output
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    var logLevel: Logger.Level

    init(
        label: String, format: Format, level: Logger.Level, clocks: any Clocks,
        output: @escaping Output
    ) {
        self.label = label
        self.format = format
        self.logLevel = level
        self.clocks = clocks
        self.output = output
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let given = event.metadata { all.merge(given) { $1 } }
        if let error = event.error, all["error"] == nil { all["error"] = "\(error)" }
        let pairs = all.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
        let time = Timestamp.iso8601(clocks.wall)
        let message = "\(event.message)"
        switch format {
        case .text: output(text(time, event.level, message, pairs))
        case .journal:
            output("<\(Self.priority(event.level))>" + text("\(label): ", message, pairs))
        case .json: output(json(time, event.level, message, pairs))
        }
    }

    private func text(
        _ time: String, _ level: Logger.Level, _ message: String, _ pairs: [(String, String)]
    ) -> String {
        var line = "\(time) \(level.rawValue) "
        // The levels that matter line up: info, notice and warning are the common ones.
        for _ in 0..<max(0, 7 - level.rawValue.utf8.count) { line += " " }
        return text(line + "\(label): ", message, pairs)
    }

    private func text(
        _ start: String, _ message: String, _ pairs: [(String, String)]
    ) -> String {
        var line = start + Self.printable(message)
        for (key, value) in pairs {
            let isPlain = !value.isEmpty && !value.contains { $0 == " " || $0 == "\"" || $0 == "=" }
            line +=
                isPlain ? " \(key)=\(Self.printable(value))" : " \(key)=\(JSONText.quote(value))"
        }
        return Self.cut(line)
    }

    /// Of syslog(3).
    private static func priority(_ level: Logger.Level) -> Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }

    private func json(
        _ time: String, _ level: Logger.Level, _ message: String, _ pairs: [(String, String)]
    ) -> String {
        // Cut before quoting, so that a long line is still JSON.
        let share = Self.lineBytesMax / 4
        var line = "{\"time\":\"\(time)\",\"level\":\"\(level.rawValue)\",\"logger\":"
        line += JSONText.quote(label)
        line += ",\"message\":" + JSONText.quote(Self.cut(message, to: share))
        for (key, value) in pairs {
            let pair = ",\(JSONText.quote(key)):\(JSONText.quote(Self.cut(value, to: share)))"
            if line.utf8.count + pair.utf8.count > Self.lineBytesMax { break }
            line += pair
        }
        return line + "}"
    }

    private static func cut(_ text: String, to bytesMax: Int = lineBytesMax) -> String {
        text.utf8.count <= bytesMax
            ? text : String(decoding: text.utf8.prefix(bytesMax), as: UTF8.self) + "…"
    }

    /// One event is one line, whatever a peer or a client sent us.
    private static func printable(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
        return isPlain ? text : String(JSONText.quote(text).dropFirst().dropLast())
    }
}
