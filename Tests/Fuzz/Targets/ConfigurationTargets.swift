import Core
import Foundation
import Synchronization

@testable import Cloud
@testable import Discovery
@testable import NodeConfiguration

let configurationTargets = [
    FuzzTarget(
        name: "config-yaml", runCount: 3_000, seeds: ConfigurationSeeds.yaml, run: feedYAML),
    FuzzTarget(
        name: "config-environment", runCount: 5_000, seeds: ConfigurationSeeds.environment,
        run: feedEnvironment),
    FuzzTarget(
        name: "config-values", runCount: 50_000, seeds: ConfigurationSeeds.values,
        run: feedSettingValues),
]

private let machine = ConfigurationSources.Machine(hostName: "host-1", address: "10.0.0.1")

/// Runs `body` to its end: libFuzzer's inputs come one by one.
private func wait(_ body: @escaping @Sendable () async -> Void) {
    let isDone = DispatchSemaphore(value: 0)
    Task {
        await body()
        isDone.signal()
    }
    isDone.wait()
}

private func load(_ sources: ConfigurationSources) {
    wait {
        _ = await NodeConfiguration.listenAddress(sources)
        do {
            let loaded = try await NodeConfiguration.load(sources)
            check(!loaded.report.isEmpty, "settings in force, and nothing to show")
        } catch let error as ConfigurationProblems {
            check(!error.problems.isEmpty && !"\(error)".isEmpty, "refused without a reason")
        } catch {
            preconditionFailure("an error of another kind: \(error)")
        }
    }
}

/// Settings that name files would read this machine's.
private func namesFiles(_ bytes: [UInt8]) -> Bool {
    String(decoding: bytes, as: UTF8.self).lowercased().contains("_file")
}

private let yamlPath: String = {
    let memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NSTemporaryDirectory()
    return "\(memory)/dstfuzz-\(getpid()).yaml"
}()

private func feedYAML(_ input: [UInt8]) {
    guard !namesFiles(input) else { return }
    guard FileManager.default.createFile(atPath: yamlPath, contents: Data(input)) else {
        preconditionFailure("cannot write \(yamlPath)")
    }
    defer { unlink(yamlPath) }
    load(.init(flags: [:], environment: [:], yamlPath: yamlPath, machine: machine))
}

/// `NAME=value` lines; a first byte that is odd makes flags of them.
private func feedEnvironment(_ input: [UInt8]) {
    guard !namesFiles(input) else { return }
    var script = Script(input)
    let areFlags = script.byte() % 2 == 1
    var pairs: [String: String] = [:]
    for line in script.lines() {
        let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { continue }
        let name = String(parts[0])
        if areFlags {
            guard Setting.allCases.contains(where: { $0.key == name.lowercased() }) else {
                continue
            }
            pairs[name.lowercased()] = String(parts[1])
        } else if name != "CREDENTIALS_DIRECTORY" {
            pairs[name] = String(parts[1])
        }
    }
    load(
        .init(
            flags: areFlags ? pairs : [:], environment: areFlags ? [:] : pairs, yamlPath: nil,
            machine: machine))
}

/// What is written in settings, and read in other places too.
private func feedSettingValues(_ input: [UInt8]) {
    var script = Script(input)
    let kind = script.byte()
    let text = String(decoding: script.rest, as: UTF8.self)
    switch kind % 7 {
    case 0: checkUnits(text)
    case 1: checkAddresses(text)
    case 2:
        guard let token = JoinToken(text) else { return }
        check(token.text == text || token.text == text.lowercased(), "another join token")
    case 3:
        let settings = ResolverSettings(text: text)
        check(settings.servers.count <= DiscoveryLimits.dnsServersMax, "too many servers")
        check(settings.searches.count <= DiscoveryLimits.dnsSearchMax, "too many domains")
        for word in text.split(separator: "\n") { _ = settings.candidates(of: String(word)) }
    case 4:
        guard let reference = try? SecretReference(text) else { return }
        check(Cloud.allCases.contains(reference.cloud), "a secret of no cloud")
    case 5:
        if let (endpoint, rest) = CloudEndpoint.split(text) {
            check(CloudEndpoint(endpoint.description) == endpoint, "\(endpoint) is another")
            check(text.hasSuffix(rest), "the rest is not of the URL")
        }
    default:
        guard let name = DNSName(text) else { return }
        check(DNSName(name.description) == name, "\(name) is another name")
    }
}

private func checkUnits(_ text: String) {
    if let bytes = ByteSize.parse(text) {
        check(bytes >= 0, "fewer than no bytes")
        check(ByteSize.parse("\(bytes)") == bytes, "\(bytes) bytes are not \(bytes) bytes")
        _ = ByteSize.format(bytes)
    }
    if let duration = DurationText.parse(text) {
        check(duration >= .zero, "a time before")
        let again = DurationText.parse(DurationText.format(duration))
        check(again == nil || again == duration, "\(text) became another")
    }
}

private func checkAddresses(_ text: String) {
    for (port, mayBeAny) in [(nil, false), (9000, false), (9000, true)] as [(Int?, Bool)] {
        guard let address = HostPort(text, defaultPort: port, mayBeAny: mayBeAny) else { continue }
        let again = HostPort(address.description, mayBeAny: true)
        check(again == address, "\(address) is another")
    }
}

private enum ConfigurationSeeds {
    static func yaml() -> [[UInt8]] {
        [
            """
            node_type: storage
            node_id: s1
            listen_address: 0.0.0.0:9000
            capacity_gb: 100
            seed_nodes: [a:9000, "b:9000"]
            repair_delay: 10m
            """,
            "node_type: &x gateway\nzone: *x\ns3_domain: s3.example.com\nlog_level: debug\n",
            "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "- 1\n- {a: b}\n",
            "? [a]\n: |\n  text\n",
        ].map { Array($0.utf8) }
    }

    static func environment() -> [[UInt8]] {
        let key = (0..<32).map { "\(10 + $0)" }.joined()
        let lines = """
            NODE_TYPE=gateway
            SEED_NODES=a:9000,b:9000
            CLUSTER_SECRET=\(key)
            ENCRYPTION_KEY=\(key)
            ROOT_ACCESS_KEY=root
            ROOT_SECRET_KEY=secretsecret
            FORM_CLUSTER=2026-12-31T00:00:00Z
            REPAIR_DELAY=10m
            DISCOVERY_METHOD=static,dns
            DISCOVERY_DNS_NAMES=a.example.com,_dst._tcp.example.com
            DST_SEEDS=a
            """
        let node = """
            NODE_TYPE=storage
            CAPACITY_GB=500GiB
            JOIN_TOKEN=\(JoinTokenSeed.text)
            ADVERTISE_ADDRESS=[::1]:9000
            BOOTSTRAP_EXPECT=3
            LIFECYCLE=aws
            """
        return [[0] + Array(lines.utf8), [1] + Array(lines.utf8), [0] + Array(node.utf8)]
    }

    static func values() -> [[UInt8]] {
        let texts: [(UInt8, String)] = [
            (0, "8KiB"), (0, "100 GB"), (0, "500ms"), (0, "24h"), (1, "a.example.com:9000"),
            (1, "[fe80::1]:9000"), (1, "10.0.0.1"), (2, JoinTokenSeed.text),
            (3, "nameserver 10.0.0.2\nsearch a.example.com b\noptions ndots:2 # c\n"),
            (4, "aws:arn:aws:secretsmanager:eu-west-1:1:secret:a"),
            (4, "gcp:projects/p/secrets/s/versions/latest"),
            (4, "azure:https://v.vault.azure.net/secrets/n"),
            (5, "https://Example.com:8443/a?b"), (5, "http://[::1]"), (6, "_dst._tcp.Example.com."),
        ]
        return texts.map { [$0] + Array($1.utf8) }
    }
}
