import ArgumentParser
import Core
import Discovery
import Foundation
import Logging
import NIOPosix
import NodeConfiguration

/// `dstnode discover`: what the configured plugins find now.
struct DiscoverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discover", abstract: "Ask the configured sources for peers, once.",
        discussion: """
            Reads the node's settings and starts nothing. JSON is an array of peers on standard \
            output; what is left out goes to standard error. Ends with 0 where every source \
            answered, with 1 otherwise.
            """)

    enum Output: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Option(help: "text or json.")
    var output = Output.text
    @OptionGroup var flags: SettingFlags

    private struct PeerJSON: Encodable {
        let address: String
        let role: String?
        let zone: String?
        let source: String
    }

    func run() async throws {
        let configuration = try await flags.load().configuration
        let environment = ProcessInfo.processInfo.environment
        let plugins: [any DiscoveryPlugin]
        do {
            plugins = DiscoveryAssembly.plugins(
                configuration,
                clouds: try DiscoveryAssembly.clouds(configuration, environment: environment),
                group: MultiThreadedEventLoopGroup.singleton, clocks: SystemClocks())
        } catch {
            Terminal.complain("\(error)")
            throw ExitCode(EX_CONFIG)
        }
        let outcomes = await CombinedDiscovery.ask(plugins)
        let peers = Self.peers(outcomes)
        switch output {
        case .json:
            try Terminal.sayJSON(
                peers.map {
                    PeerJSON(
                        address: "\($0.address)", role: $0.role?.rawValue, zone: $0.zone,
                        source: $0.source)
                })
        case .text: Terminal.say(Self.text(peers))
        }
        for line in Self.remarks(outcomes) { Terminal.complain(line) }
        let hasFailed = outcomes.contains { outcome in
            if case .failure = outcome.result { true } else { false }
        }
        if hasFailed { throw ExitCode(1) }
    }

    /// In order of source and address.
    static func peers(_ outcomes: [DiscoveryOutcome]) -> [Peer] {
        outcomes.flatMap { outcome in
            guard case .success(let found) = outcome.result else { return [Peer]() }
            return found.peers.sorted { "\($0.address)" < "\($1.address)" }
        }
    }

    static func text(_ peers: [Peer]) -> String {
        var table = TextTable(["ADDRESS", "ROLE", "ZONE", "SOURCE"])
        for peer in peers {
            table.append([
                "\(peer.address)", peer.role?.rawValue ?? "-", peer.zone ?? "-", peer.source,
            ])
        }
        return peers.isEmpty ? "no peers" : table.text
    }

    /// What failed, what is left out and why.
    static func remarks(_ outcomes: [DiscoveryOutcome]) -> [String] {
        outcomes.flatMap { outcome -> [String] in
            switch outcome.result {
            case .failure(let error): return ["\(outcome.name): \(error)"]
            case .success(let found):
                var lines = found.notCandidates.map {
                    "\(outcome.name): nobody joins through \($0.what): \($0.reason)"
                }
                if found.peers.isEmpty { lines.append("\(outcome.name): finds nobody") }
                if found.isPartial { lines.append("\(outcome.name): the list is partial") }
                return lines
            }
        }
    }
}
