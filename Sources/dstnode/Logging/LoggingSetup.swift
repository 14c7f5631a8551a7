import Core
import Foundation
import Logging
import NodeConfiguration

/// Sends all logs of the process to standard error.
enum LoggingSetup {
    /// Once per process, before the first logger is made.
    static func bootstrap(level: Logger.Level, format: NodeConfiguration.LogFormat) {
        let format = lineFormat(format)
        let clocks = SystemClocks()
        LoggingSystem.bootstrap { label in
            LineLogHandler(
                label: label, format: format, level: level, clocks: clocks, output: writeLine)
        }
    }

    private static func lineFormat(
        _ format: NodeConfiguration.LogFormat
    ) -> LineLogHandler.Format {
        switch format {
        case .text: return .text
        case .json: return .json
        case .auto: break
        }
        if isatty(STDERR_FILENO) == 1 { return .text }
        let stream = ProcessInfo.processInfo.environment["JOURNAL_STREAM"]
        return isStream(stream, STDERR_FILENO) ? .journal : .json
    }

    /// Whether `JOURNAL_STREAM` (systemd.exec(5)), device and inode, names what is open here: it
    /// may have been redirected since.
    static func isStream(_ named: String?, _ descriptor: Int32) -> Bool {
        guard let named else { return false }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return false }
        return named == "\(status.st_dev):\(status.st_ino)"
    }

    /// One `write` per line, so that lines of several threads don't mix.
    private static let writeLine: LineLogHandler.Output = { line in
        var bytes = Array(line.utf8)
        bytes.append(UInt8(ascii: "\n"))
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes {
                write(STDERR_FILENO, $0.baseAddress, $0.count)
            }
            // Nowhere to complain to; the next line tries again.
            if count <= 0 { return }
            offset += count
        }
    }
}
