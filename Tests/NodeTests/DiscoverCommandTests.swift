import Core
import Discovery
import NodeConfiguration
import Testing

@testable import dstnode

@Suite struct DiscoverCommandTests {
    private func found() -> Discovered {
        var found = Discovered()
        found.peers = [
            Peer(address: HostPort(host: "b", port: 1), role: .storage, zone: "z", source: "aws"),
            Peer(address: HostPort(host: "a", port: 1), source: "aws"),
        ]
        found.leftOut = [LeftOut(what: "i-1", reason: "no address yet", source: "aws")]
        found.isPartial = true
        return found
    }

    @Test func `peers stand in order, and nobody is silent about the rest`() {
        let outcomes = [
            DiscoveryOutcome(name: "dns", result: .failure(.unavailable("down"))),
            DiscoveryOutcome(name: "aws", result: .success(found())),
            DiscoveryOutcome(name: "gcp", result: .success(Discovered())),
        ]
        #expect(DiscoverCommand.peers(outcomes).map { "\($0.address)" } == ["a:1", "b:1"])
        #expect(
            DiscoverCommand.remarks(outcomes) == [
                "dns: down", "aws: nobody joins through i-1: no address yet",
                "aws: nobody joins through b:1: role is storage", "aws: the list is partial",
                "gcp: finds nobody",
            ])
    }

    @Test func `a flag names the output`() throws {
        #expect(try DiscoverCommand.parse([]).output == .text)
        #expect(try DiscoverCommand.parse(["--output", "json"]).output == .json)
        #expect(throws: (any Error).self) { try DiscoverCommand.parse(["--output", "yaml"]) }
    }

    @Test func `figures name their source`() {
        var report = DiscoveryReport(sources: [])
        var source = DiscoveryReport.Source(name: "aws")
        source.error = "down"
        source.failureCount = 2
        report.sources = [source]
        let samples = DiscoveryAssembly.samples(report)
        #expect(samples.allSatisfy { $0.dimensions.map(\.1) == ["aws"] })
        #expect(samples.first { $0.label == "discovery.failing" }?.value == 1)
        #expect(samples.first { $0.label == "discovery.failures" }?.value == 2)
    }
}
