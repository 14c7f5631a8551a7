import ArgumentParser
import Core
import Foundation

/// `dstnode prove`: stores an object through one gateway, reads it back through each, compares.
struct ProveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prove",
        abstract: "Store an object and read it back: shows that the cluster works.")

    static let bucket = "dst-proof"
    static let objectBytes = 1 << 20

    @Option(help: "How long to go on trying, such as 30s.")
    var patience = "30s"
    @Option(parsing: .upToNextOption, help: "host:port of further gateways to read back through.")
    var also: [String] = []
    @OptionGroup var options: ClientOptions

    func run() async throws {
        guard let patience = DurationText.parse(patience) else {
            throw ValidationError("'\(patience)' is not a duration: write a number and a unit")
        }
        let client = try options.client()
        var gateways = [client]
        if let home = options.home {
            for (name, address) in try DevHome(path: home).addresses()
            where name.hasPrefix("gateway") {
                let other = try client.at(address)
                if other.endpoint != client.endpoint { gateways.append(other) }
            }
        }
        for text in also {
            guard let address = HostPort(text, defaultPort: HostPort.defaultPort) else {
                throw ValidationError("'\(text)' is not an address: write host:port")
            }
            gateways.append(try client.at(address))
        }
        let deadline = ContinuousClock.now + patience
        while true {
            let problem = await attempt(gateways)
            guard let problem else { break }
            if ContinuousClock.now >= deadline {
                Terminal.complain("the proof failed: \(problem)")
                throw ExitCode(1)
            }
            try await Task.sleep(for: .milliseconds(200))
        }
        Terminal.say(
            "stored \(ByteSize.format(Self.objectBytes)) through \(gateways[0].endpoint), read it "
                + "back through \(gateways.map(\.endpoint).joined(separator: " and ")), equal")
    }

    /// - Returns: What went wrong; `nil` if nothing did.
    private func attempt(_ gateways: [SignedClient]) async -> String? {
        var random = SystemRandomNumberGenerator()
        let bytes = (0..<Self.objectBytes / 8).flatMap { _ in
            (random.next() as UInt64).bigEndianBytes
        }
        let key = "/\(Self.bucket)/proof-\(Hex.encode(bytes.prefix(8)))"
        do {
            let made = try await gateways[0].send("PUT", "/\(Self.bucket)")
            guard made.isFine || made.status == 409 else { return describe("PUT bucket", made) }
            let put = try await gateways[0].send("PUT", key, body: bytes)
            guard put.isFine else { return describe("PUT", put) }
            for gateway in gateways {
                let got = try await gateway.send("GET", key)
                guard got.isFine else { return describe("GET \(gateway.endpoint)", got) }
                guard got.body == bytes else { return "\(gateway.endpoint) gave other bytes" }
            }
            let deleted = try await gateways[0].send("DELETE", key)
            return deleted.isFine ? nil : describe("DELETE", deleted)
        } catch {
            return "\(error)"
        }
    }

    private func describe(_ what: String, _ response: SignedClient.Response) -> String {
        "\(what): \(response.status) \(SignedClient.errorText(response.text))"
    }
}
