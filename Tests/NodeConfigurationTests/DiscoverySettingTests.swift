import Core
import Testing

@testable import NodeConfiguration

private let base = [
    "NODE_TYPE": "coordinator",
    "CLUSTER_SECRET": "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210",
]

private func load(_ more: [String: String]) async throws -> LoadedConfiguration {
    try await NodeConfiguration.load(
        ConfigurationSources(
            flags: [:], environment: base.merging(more) { $1 }, yamlPath: nil,
            machine: .init(hostName: "host-7", address: "10.1.2.3")))
}

private func problems(_ more: [String: String]) async throws -> [String] {
    do {
        _ = try await load(more)
        return []
    } catch let error as ConfigurationProblems {
        return error.problems.map(\.description)
    }
}

@Suite struct DiscoverySettingTests {
    @Test func `several methods are read in order, each once`() async throws {
        let loaded = try await load([
            "DISCOVERY_METHOD": "aws, DNS,aws", "DISCOVERY_DNS_NAMES": "c:9000, _dst._tcp.x.consul",
            "DISCOVERY_DNS_SERVER": "10.0.0.2", "DISCOVERY_PORT": "9100", "ZONE": "auto",
            "LIFECYCLE": "cloud", "DISCOVERY_AZURE_CLIENT_ID": "c-1",
        ])
        let discovery = loaded.configuration.discovery
        #expect(discovery.methods == [.aws, .dns])
        #expect(discovery.dnsNames == ["c:9000", "_dst._tcp.x.consul"])
        #expect(discovery.dnsServer == HostPort(host: "10.0.0.2", port: 53))
        #expect(discovery.port == 9100 && discovery.azureClientID == "c-1")
        #expect(loaded.configuration.isZoneAutomatic)
        #expect(loaded.configuration.lifecycle == .cloud)
        #expect(loaded.warnings.isEmpty)
    }

    @Test(arguments: [
        (["DISCOVERY_METHOD": "awz"], "there is no 'awz'; known: static, dns, aws, gcp, azure,"),
        (["DISCOVERY_METHOD": "static,gpc", "SEED_NODES": "a:1,b:1"], "did you mean gcp?"),
        (["DISCOVERY_METHOD": "dns"], "DISCOVERY_DNS_NAMES: is not set, but DISCOVERY_METHOD"),
        (
            ["DISCOVERY_METHOD": "dns", "DISCOVERY_DNS_NAMES": "coordinators"],
            "'coordinators' is neither a name with a port nor a service"
        ),
        (
            ["DISCOVERY_METHOD": "dns", "DISCOVERY_DNS_NAMES": "_dst._tcp.x:9000"],
            "'_dst._tcp.x:9000' is neither"
        ),
        (["DISCOVERY_METHOD": "aws", "CLUSTER_NAME": "Prod*"], "CLUSTER_NAME: 'Prod*' is not a"),
        (
            ["DISCOVERY_METHOD": "gcp", "CLUSTER_NAME": "Prod"],
            "'Prod' can't be the value of a tag"
        ),
        (
            ["DISCOVERY_METHOD": "gcp", "DISCOVERY_PORT": "0"],
            "'0' is not a number from 1 to 65535"
        ),
        (["DISCOVERY_METHOD": "aws", "LIFECYCLE": "asw"], "did you mean aws?"),
        (["DISCOVERY_METHOD": "static"], "SEED_NODES: is not set"),
        (["DST_AWS_EC3_ENDPOINT": "x"], "did you mean DST_AWS_EC2_ENDPOINT?"),
        (
            ["DISCOVERY_DNS_NAME": "c:9000"],
            "no such setting; known: DISCOVERY_METHOD, DISCOVERY_DNS_NAMES"
        ),
        (["DISCOVERY_AZURE_CLIENT": "x"], "did you mean DISCOVERY_AZURE_CLIENT_ID?"),
    ]) func `what can't work is refused with what to write`(
        settings: [String: String], text: String
    ) async throws {
        let problems = try await problems(settings)
        #expect(problems.contains { $0.contains(text) }, "\(problems)")
    }

    @Test func `what a platform names after its services is nobody's setting`() async throws {
        _ = try await load([
            "DISCOVERY_METHOD": "cloud", "DISCOVERY_SERVICE_HOST": "10.0.0.1",
            "DISCOVERY_PORT_80_TCP": "x", "DISCOVERY_URL": "x",
        ])
    }

    @Test func `what is not used is said`() async throws {
        let loaded = try await load([
            "DISCOVERY_METHOD": "cloud", "SEED_NODES": "a:9000", "DISCOVERY_DNS_NAMES": "c:9000",
        ])
        #expect(loaded.warnings.map(\.text) == ["is not used", "is not used"])
    }

    @Test(arguments: [
        ("a", true), ("prod-1", true), (String(repeating: "a", count: 32), true), ("", false),
        ("-a", false), ("a-", false), ("A", false), ("a_b", false), ("a.b", false),
        (String(repeating: "a", count: 33), false),
    ]) func `a cluster's name must be legal as a label`(text: String, isLegal: Bool) {
        #expect(NodeConfiguration.isTagValue(text) == isLegal)
    }
}
