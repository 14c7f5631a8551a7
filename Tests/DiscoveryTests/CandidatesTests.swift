import Core
import Foundation
import Logging
import Synchronization
import Testing

@testable import Discovery

/// Counts lines.
private final class LineCounter: LogHandler {
    let lines = Mutex<[String]>([])
    var metadata: Logger.Metadata {
        get { [:] }
        set {}
    }
    var logLevel: Logger.Level {
        get { .info }
        set {}
    }
    subscript(metadataKey _: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) { lines.withLock { $0.append("\(event.message)") } }
}

@Suite struct CandidatesTests {
    private let path = NSTemporaryDirectory() + "dst-candidates-\(UUID().uuidString)"
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private let clocks = ManualClocks()

    private func candidates(_ plugins: any DiscoveryPlugin..., logger: Logger? = nil) -> Candidates
    {
        Candidates(
            plugins: plugins, path: path, logger: logger ?? self.logger, clocks: clocks,
            chance: { 0.5 })
    }

    private func seeds(_ texts: String...) -> [HostPort] { texts.compactMap { HostPort($0) } }

    @Test func `the static list is what was configured`() async {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let found = await candidates(StaticDiscovery(seeds: seeds("b:1", "a:1", "b:1"))).find()
        #expect(found == ["a:1", "b:1"])
    }

    @Test func `a silent source means the last answer`() async {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let plugin = ScriptedPlugin([.peers("a:1"), .down, .peers(), .peers("c:1")])
        let candidates = candidates(plugin)
        var answers: [[String]] = []
        for _ in 0..<4 {
            answers.append(await candidates.find())
            clocks.advance(.seconds(120))
        }
        #expect(answers == [["a:1"], ["a:1"], ["a:1"], ["c:1"]])
    }

    @Test func `a source that finds nobody says so once, and why`() async {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let counter = LineCounter()
        let plugin = ScriptedPlugin([.peers(), .peers(), .peers("a:1"), .peers()])
        let candidates = candidates(plugin, logger: Logger(label: "test") { _ in counter })
        for _ in 0..<4 {
            _ = await candidates.find()
            clocks.advance(.seconds(120))
        }
        #expect(
            counter.lines.withLock { $0 }
                == [
                    "discovery finds nobody", "discovery found peers", "discovery finds nobody",
                ])
    }

    @Test func `the last answer outlives the process`() async {
        defer { try? FileManager.default.removeItem(atPath: path) }
        _ = await candidates(StaticDiscovery(seeds: seeds("a:1"))).find()
        #expect(await candidates(ScriptedPlugin([.down])).find() == ["a:1"])
    }

    @Test func `a damaged file is an empty one`() async throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        try "[\"a".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(await candidates(ScriptedPlugin([.down])).find().isEmpty)
    }

    @Test func `the number of candidates is bounded`() async {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let many = (0..<1000).map { HostPort(host: "host-\($0)", port: 9000) }
        let found = await candidates(StaticDiscovery(seeds: many)).find()
        #expect(found.count == Candidates.countMax)
    }

    @Test func `one that fails hides nobody of the others`() async {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let candidates = candidates(
            ScriptedPlugin([.down], name: "bad"), StaticDiscovery(seeds: seeds("a:1")))
        #expect(await candidates.find() == ["a:1"])
        let report = candidates.report
        #expect(report.sources.map(\.name) == ["bad", "static"])
        #expect(report.sources.map(\.error) == ["down", nil])
        #expect(report.sources.map(\.failureCount) == [1, 0])
        #expect(report.problems == ["discovery bad: down"])
    }

    @Test func `until all have answered the list on disk stands in`() async {
        defer { try? FileManager.default.removeItem(atPath: path) }
        _ = await candidates(StaticDiscovery(seeds: seeds("old:1"))).find()
        let bad = ScriptedPlugin([.down, .peers("b:1")], name: "bad")
        let candidates = candidates(bad, StaticDiscovery(seeds: seeds("a:1")))
        #expect(await candidates.find() == ["a:1", "old:1"])
        clocks.advance(.seconds(120))
        #expect(await candidates.find() == ["a:1", "b:1"])
    }

    @Test func `only coordinators and who may be one are candidates`() async {
        defer { try? FileManager.default.removeItem(atPath: path) }
        var found = Discovered()
        found.peers = [("a", NodeRole.coordinator), ("b", .storage), ("c", .gateway), ("d", nil)]
            .map { Peer(address: HostPort(host: $0.0, port: 1), role: $0.1, source: "x") }
        #expect(await candidates(ScriptedPlugin([.success(found)])).find() == ["a:1", "d:1"])
        #expect(found.notCandidates.map(\.reason) == ["role is storage", "role is gateway"])
    }

    @Test func `a part of a list removes nobody`() async {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let candidates = candidates(
            ScriptedPlugin([.peers("a:1", "b:1"), .peers("c:1", isPartial: true), .peers("c:1")]))
        #expect(await candidates.find() == ["a:1", "b:1"])
        clocks.advance(.seconds(1))
        #expect(await candidates.find() == ["a:1", "b:1", "c:1"])
        clocks.advance(.seconds(1))
        #expect(await candidates.find() == ["c:1"])
    }

    @Test func `an error is logged once per change`() async {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let counter = LineCounter()
        let plugin = ScriptedPlugin([
            .down, .down, .failure(.unavailable("other")), .peers("a:1"), .peers("a:1"),
        ])
        let candidates = candidates(plugin, logger: Logger(label: "t") { _ in counter })
        for _ in 0..<6 {
            _ = await candidates.find()
            clocks.advance(.seconds(120))
        }
        let failed = "discovery failed; going on with the last candidates"
        #expect(
            counter.lines.withLock { $0 } == [
                failed, failed, "discovery works again", "discovery found peers",
            ])
    }

    @Test func `callers that ask all the time cost no more calls`() async {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let plugin = ScriptedPlugin([.peers("a:1")], price: .calls)
        let candidates = candidates(plugin)
        for _ in 0..<240 {
            _ = await candidates.find()
            clocks.advance(.milliseconds(250))
        }
        #expect((1...10).contains(plugin.askedCount))
        // Settled after five minutes.
        for _ in 0..<(4 * 300) {
            _ = await candidates.find()
            clocks.advance(.milliseconds(250))
        }
        let before = plugin.askedCount
        for _ in 0..<(4 * 600) {
            _ = await candidates.find()
            clocks.advance(.milliseconds(250))
        }
        #expect(plugin.askedCount - before <= 10)
    }
}
