import Core
import Foundation
import Synchronization
import Testing

@testable import Cloud

/// Answers requests from a closure and records them.
final class ScriptedTransport: CloudTransport {
    typealias Answer = @Sendable (CloudRequest, _ index: Int) -> Result<CloudReply, CloudError>

    private let answer: Answer
    private let sent = Mutex<[CloudRequest]>([])

    init(_ answer: @escaping Answer) { self.answer = answer }

    var requests: [CloudRequest] { sent.withLock { $0 } }

    func send(
        _ request: CloudRequest, within limit: Duration
    ) async throws(CloudError) -> CloudReply {
        let index = sent.withLock { sent in
            sent.append(request)
            return sent.count - 1
        }
        return try answer(request, index).get()
    }
}

/// Time that tests move.
final class ManualClocks: Clocks {
    private let milliseconds = Mutex<Int64>(1_700_000_000_000)

    var wall: WallTime { WallTime(milliseconds: milliseconds.withLock { $0 }) }
    var monotonic: MonotonicTime {
        MonotonicTime(milliseconds: UInt64(milliseconds.withLock { $0 }))
    }

    func advance(_ duration: Duration) {
        milliseconds.withLock { $0 += Int64(duration.wholeMilliseconds) }
    }
}

/// A shell over a scripted transport, whose sleeping moves the clocks.
struct CloudWorld {
    let clocks = ManualClocks()
    let transport: ScriptedTransport
    let shell: CloudShell
    let sleeps = Pauses()

    final class Pauses: Sendable {
        private let list = Mutex<[Duration]>([])
        var all: [Duration] { list.withLock { $0 } }
        func append(_ pause: Duration) { list.withLock { $0.append(pause) } }
    }

    init(_ answer: @escaping ScriptedTransport.Answer) {
        transport = ScriptedTransport(answer)
        let (clocks, sleeps) = (clocks, sleeps)
        shell = CloudShell(
            endpoints: CloudEndpoints(), transport: transport, clocks: clocks,
            sleep: { pause in
                sleeps.append(pause)
                clocks.advance(pause)
            }, chance: { 0.5 })
    }

    var paths: [String] { transport.requests.map { "\($0.method) \($0.name)" } }
}

extension CloudReply {
    static func text(_ text: String, status: Int = 200, _ headers: [String: String] = [:])
        -> CloudReply
    {
        CloudReply(status: status, headers: headers, body: Array(text.utf8))
    }
}

/// What a call throws.
func error(_ body: () async throws -> Void) async -> CloudError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? CloudError
    }
}

/// Runs one of the fakes in Python until the value goes away.
final class FakeCloud: Sendable {
    let endpoint: String
    private let process: Process
    /// The fake ends with it, however this process ends.
    private let input = Pipe()

    /// - Parameter state: JSON that replaces parts of its state.
    init(_ cloud: String, state: String = "{}") throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "python3", "-B", folder.appendingPathComponent("fakes/fake_cloud.py").path, "--cloud",
            cloud, "--port", "0", "--until-input-ends", "--state", state,
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardInput = input
        try process.run()
        let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        let port = line.split(separator: "\n").first?.dropFirst("port ".count) ?? ""
        endpoint = "http://127.0.0.1:\(port)"
        self.process = process
        try #require(Int(port) != nil, "the fake says '\(line)'")
    }

    deinit { try? input.fileHandleForWriting.close() }

    /// Replaces parts of its state.
    func set(_ state: String) async throws {
        guard let base = CloudEndpoint(endpoint) else { return }
        let request = CloudRequest("PUT", base, "/-/state", body: Array(state.utf8))
        _ = try await HTTPTransport.shared.send(request, within: .seconds(5))
    }

    /// The bodies and queries of everything that was asked, as JSON.
    func requests() async throws -> [Recorded] {
        guard let base = CloudEndpoint(endpoint) else { return [] }
        let request = CloudRequest("GET", base, "/-/requests", replyBytesMax: 16 << 20)
        let reply = try await HTTPTransport.shared.send(request, within: .seconds(5))
        return try JSONDecoder().decode([Recorded].self, from: Data(reply.body))
    }

    struct Recorded: Decodable {
        let method: String
        let path: String
        let body: String
        let headers: [String: String]
    }
}
