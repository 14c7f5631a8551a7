import Core
import Foundation
import Logging
import NodeConfiguration

/// Sends all logs of the process to standard error.
enum LoggingSetup {
    /// Once per process, before the first logger is made.
    static func bootstrap(level: Logger.Level, format: NodeConfiguration.LogFormat) {
        let isText = format == .text || (format == .auto && isatty(STDERR_FILENO) == 1)
        let clocks = SystemClocks()
        LoggingSystem.bootstrap { label in
            LineLogHandler(
                label: label, format: isText ? .text : .json, level: level, clocks: clocks,
                output: writeLine)
        }
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
