import ArgumentParser
import Core
import Foundation
import NodeConfiguration

/// `dstnode health`: asks nodes how they are, for container health checks and for scripts.
struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "Ask nodes whether they are healthy; ends with 0 if so.",
        discussion: """
            Without --address it asks 127.0.0.1 at the port of LISTEN_ADDRESS, as the node beside \
            it does (environment, or the file that DST_CONFIG names). /health is about the \
            process and its disk; --ready about serving its role.
            """)

    private static let pause = Duration.milliseconds(200)

    @Option(parsing: .upToNextOption, help: "host:port of the nodes.")
    var address: [String] = []
    @Flag(help: "Ask /ready instead of /health.")
    var ready = false
    @Option(help: "Directory of a dev cluster: asks all its nodes.")
    var home: String?
    @Option(help: "How long one answer may take, such as 5s.")
    var timeout = "5s"
    @Option(help: "How long to go on asking those that are not well yet, such as 60s.")
    var wait = "0s"

    private struct Node: Sendable {
        let name: String
        let address: HostPort
    }

    private struct Answer: Sendable {
        let index: Int
        let isFine: Bool
        let text: String
    }

    func run() async throws {
        guard let limit = DurationText.parse(timeout), let patience = DurationText.parse(wait)
        else {
            throw ValidationError("--timeout and --wait are durations: write a number and a unit")
        }
        let nodes = try await nodes()
        var answers = [Answer?](repeating: nil, count: nodes.count)
        let deadline = ContinuousClock.now + patience
        while true {
            // Who was well is not asked again: nodes that come up one after another count.
            let open = nodes.indices.filter { answers[$0]?.isFine != true }
            for answer in await ask(nodes, open, within: limit) { answers[answer.index] = answer }
            if answers.allSatisfy({ $0?.isFine == true }) || ContinuousClock.now >= deadline {
                break
            }
            try await Task.sleep(for: Self.pause)
        }
        for (node, answer) in zip(nodes, answers) {
            Terminal.say("\(node.name) \(node.address): \(answer?.text ?? "not asked")")
        }
        guard !nodes.isEmpty, answers.allSatisfy({ $0?.isFine == true }) else { throw ExitCode(1) }
    }

    private func nodes() async throws -> [Node] {
        if let home {
            return try DevHome(path: home).addresses().map { Node(name: $0, address: $1) }
        }
        if address.isEmpty {
            return [Node(name: "node", address: await LocalNode.address())]
        }
        return try address.map { text in
            guard let parsed = HostPort(text, defaultPort: HostPort.defaultPort) else {
                throw ValidationError("'\(text)' is not an address: write host:port")
            }
            return Node(name: "node", address: parsed)
        }
    }

    private func ask(_ nodes: [Node], _ indices: [Int], within limit: Duration) async -> [Answer] {
        await withTaskGroup(of: Answer.self, returning: [Answer].self) { group in
            for index in indices {
                group.addTask {
                    let (isFine, text) = await ask(nodes[index].address, within: limit)
                    return Answer(index: index, isFine: isFine, text: text)
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    private func ask(_ address: HostPort, within limit: Duration) async -> (Bool, String) {
        switch await PlainGet.ask(address, ready ? "/ready" : "/health", within: limit) {
        case .success(let answer): (answer.status == 200, "\(answer.status) \(answer.text)")
        case .failure(let failure): (false, "no answer (\(failure))")
        }
    }
}
