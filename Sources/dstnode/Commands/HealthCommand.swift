import ArgumentParser
import AsyncHTTPClient
import Core
import Foundation
import NIOCore

/// `dstnode health`: asks a node on this machine how it is, for container health checks.
struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "Ask a node whether it is healthy; ends with 0 if so.",
        discussion: """
            Without --address it asks 127.0.0.1 at the port of LISTEN_ADDRESS, as the node beside \
            it does. /health is about the process and its disk; --ready about serving its role.
            """)

    @Option(help: "host:port of the node.")
    var address: String?
    @Flag(help: "Ask /ready instead of /health.")
    var ready = false
    @Option(help: "Directory of a dev cluster: asks all its nodes.")
    var home: String?
    @Option(help: "How long to wait for an answer, such as 5s.")
    var timeout = "5s"

    func run() async throws {
        guard let limit = DurationText.parse(timeout) else {
            throw ValidationError("'\(timeout)' is not a duration: write a number and a unit")
        }
        let nodes: [(name: String, address: HostPort)]
        if let home {
            nodes = try DevHome(path: home).addresses()
        } else {
            nodes = [("node", try localAddress())]
        }
        var isFine = !nodes.isEmpty
        for (name, address) in nodes {
            let (isUp, text) = await ask(address, within: limit)
            Terminal.say("\(name) \(address): \(text)")
            isFine = isFine && isUp
        }
        if !isFine { throw ExitCode(1) }
    }

    private func localAddress() throws -> HostPort {
        if let address {
            guard let parsed = HostPort(address, defaultPort: HostPort.defaultPort) else {
                throw ValidationError("'\(address)' is not an address: write host:port")
            }
            return parsed
        }
        let listen = ProcessInfo.processInfo.environment["LISTEN_ADDRESS"].flatMap { HostPort($0) }
        guard let listen, !listen.isWildcard else {
            return HostPort(host: "127.0.0.1", port: listen?.port ?? HostPort.defaultPort)
        }
        return listen
    }

    private func ask(_ address: HostPort, within limit: Duration) async -> (Bool, String) {
        do {
            let request = HTTPClientRequest(url: "http://\(address)\(ready ? "/ready" : "/health")")
            let response = try await HTTPClient.shared.execute(
                request, timeout: .nanoseconds(limit.components.seconds * 1_000_000_000))
            let body = try await response.body.collect(upTo: 64 << 10)
            let text = String(buffer: body).trimmingCharacters(in: .whitespacesAndNewlines)
            return (response.status.code == 200, "\(response.status.code) \(text)")
        } catch {
            return (false, "no answer (\(error))")
        }
    }
}
