import Core
import Foundation
import Logging
import Synchronization
import Testing

@testable import dstnode

private struct FixedClocks: Clocks {
    var wall: WallTime { WallTime(milliseconds: 1_700_000_000_042) }
    var monotonic: MonotonicTime { MonotonicTime(milliseconds: 0) }
}

private final class Lines: Sendable {
    private let kept = Mutex<[String]>([])
    func append(_ line: String) { kept.withLock { $0.append(line) } }
    var all: [String] { kept.withLock { $0 } }
}

private func logger(_ format: LineLogHandler.Format, into lines: Lines) -> Logger {
    Logger(label: "storage") { label in
        LineLogHandler(
            label: label, format: format, level: .info, clocks: FixedClocks(),
            output: { lines.append($0) })
    }
}

@Suite struct LogHandlerTests {
    @Test func `a line of text says time, level, place, message and facts`() {
        let lines = Lines()
        var logger = logger(.text, into: lines)
        logger[metadataKey: "node"] = "s1"
        logger.info("chunk write", metadata: ["action": "commit", "why": "all acked"])
        logger.debug("not shown")
        #expect(
            lines.all == [
                "2023-11-14T22:13:20.042Z info    storage: chunk write action=commit node=s1 "
                    + "why=\"all acked\""
            ])
    }

    @Test func `a line of JSON is JSON whatever was sent to us`() throws {
        let lines = Lines()
        let logger = logger(.json, into: lines)
        logger.error(
            "bad \"peer\"\n\u{1}",
            metadata: ["k\\": "\u{7F}é", "long": "\(String(repeating: "x", count: 20000))"])
        let line = try #require(lines.all.first)
        #expect(!line.contains("\n"))
        let object = try #require(
            JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
        #expect(object["message"] == "bad \"peer\"\n\u{1}")
        #expect(object["level"] == "error")
        #expect(object["k\\"] == "\u{7F}é")
        #expect(line.utf8.count <= LineLogHandler.lineBytesMax)
    }

    @Test func `a line of the journal has its level in front and no time`() {
        let lines = Lines()
        let logger = logger(.journal, into: lines)
        logger.info("chunk write", metadata: ["node": "s1"])
        logger.critical("a\nb")
        #expect(lines.all == ["<6>storage: chunk write node=s1", "<2>storage: a\\nb"])
    }

    @Test func `the journal is told from a pipe`() throws {
        var status = stat()
        try #require(fstat(STDERR_FILENO, &status) == 0)
        let named = "\(status.st_dev):\(status.st_ino)"
        #expect(LoggingSetup.isStream(named, STDERR_FILENO))
        #expect(!LoggingSetup.isStream(named + "0", STDERR_FILENO))
        #expect(!LoggingSetup.isStream(nil, STDERR_FILENO))
    }

    @Test func `one event is one line of text`() {
        let lines = Lines()
        logger(.text, into: lines).info("a\nb", metadata: ["x": "c\nd"])
        #expect(lines.all.count == 1)
        #expect(lines.all.first?.contains("\n") == false)
    }
}
