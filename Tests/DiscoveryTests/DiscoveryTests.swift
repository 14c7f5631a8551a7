import Discovery
import Foundation
import Logging
import Synchronization
import Testing

/// Answers from a script; the last answer stays.
private final class ScriptedPlugin: DiscoveryPlugin {
    private let answers: Mutex<[Result<[String], DiscoveryError>]>

    init(_ answers: [Result<[String], DiscoveryError>]) { self.answers = Mutex(answers) }

    func candidates() async throws(DiscoveryError) -> [String] {
        let answer = answers.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
        return try answer.get()
    }
}

@Suite struct DiscoveryTests {
    private let path = NSTemporaryDirectory() + "dst-candidates-\(UUID().uuidString)"
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func candidates(_ plugin: any DiscoveryPlugin) -> Candidates {
        Candidates(plugin: plugin, path: path, logger: logger)
    }

    @Test func `the static list is what was configured`() async {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let found = await candidates(StaticDiscovery(seeds: ["b:1", "a:1", "b:1"])).find()
        #expect(found == ["a:1", "b:1"])
    }

    @Test func `a silent source means the last answer`() async {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let plugin = ScriptedPlugin([
            .success(["a:1"]), .failure(.unavailable("down")), .success([]), .success(["c:1"]),
        ])
        let candidates = candidates(plugin)
        var answers: [[String]] = []
        for _ in 0..<4 { answers.append(await candidates.find()) }
        #expect(answers == [["a:1"], ["a:1"], ["a:1"], ["c:1"]])
    }

    @Test func `the last answer outlives the process`() async {
        defer { try? FileManager.default.removeItem(atPath: path) }
        _ = await candidates(StaticDiscovery(seeds: ["a:1"])).find()
        let silent = ScriptedPlugin([.failure(.unavailable("down"))])
        #expect(await candidates(silent).find() == ["a:1"])
    }

    @Test func `a damaged file is an empty one`() async throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        try "[\"a".write(toFile: path, atomically: true, encoding: .utf8)
        let silent = ScriptedPlugin([.failure(.unavailable("down"))])
        #expect(await candidates(silent).find().isEmpty)
    }

    @Test func `the number of candidates is bounded`() async {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let many = (0..<1000).map { "host-\($0):9000" }
        let found = await candidates(StaticDiscovery(seeds: many)).find()
        #expect(found.count == Candidates.countMax)
    }
}
