import AdminAPI
import Testing

@testable import dstnode

@Suite struct StatusTextTests {
    private var report: ClusterReport {
        ClusterReport(
            cluster: "00ff", name: "dstorage", epoch: 7, replicationFactor: 3,
            nodes: [
                .init(
                    id: "u1", label: "s1", role: "storage", address: "a:9000", zone: "z1",
                    state: "up", membership: "member", capacityBytes: 1 << 30, usedBytes: 1 << 20),
                .init(
                    id: "u2", label: "c1", role: "coordinator", address: "b:9000", zone: "z1",
                    state: "up", membership: "member"),
            ],
            ranges: [
                .init(
                    name: "system", leader: "u2", term: 2, commitIndex: 40, voters: ["u2"],
                    learners: [])
            ],
            partitions: .init(total: 4096, moving: 0, underReplicated: 0), problems: [])
    }

    @Test func `a healthy cluster says so`() {
        let text = StatusText.text(of: report)
        #expect(text.hasPrefix("cluster dstorage 00ff, 3 copies, map 7\n"))
        #expect(text.hasSuffix("all is well"))
        #expect(text.contains("s1    storage      z1    a:9000   up     0           1 MiB  1 GiB"))
        #expect(text.contains("system  c1      2"))
    }

    @Test func `whatever is wrong is said`() {
        var report = report
        report.nodes[0].state = "down"
        report.nodes[1].problems = ["the disk is nearly full"]
        report.ranges[0].leader = nil
        report.partitions.underReplicated = 12
        report.problems = ["clock skew"]
        #expect(
            StatusText.problems(of: report) == [
                "clock skew", "s1 is down", "c1: the disk is nearly full", "system has no leader",
                "12 partitions have too few copies",
            ])
        #expect(StatusText.text(of: report).contains("wrong:\n  clock skew"))
    }

    @Test func `a stopped gateway is no problem, a stopped node of another role is`() {
        var report = report
        report.nodes[0].state = "stopped"
        #expect(StatusText.problems(of: report) == ["s1 is stopped"])
        report.nodes[0].role = "gateway"
        #expect(StatusText.problems(of: report).isEmpty)
        #expect(StatusText.text(of: report).contains("stopped"))
    }

    @Test func `a node that left is missed by nobody`() {
        var report = report
        report.nodes[0].state = "down"
        report.nodes[0].membership = "left"
        #expect(StatusText.problems(of: report).isEmpty)
    }

    @Test func `a lost node is missed until another has its label`() {
        var report = report
        var lost = report.nodes[0]
        lost.id = "u3"
        lost.label = "s2"
        lost.state = "down"
        lost.membership = "lost"
        report.nodes.append(lost)
        #expect(StatusText.problems(of: report) == ["s2 is down"])
        report.nodes[2].label = "s1"
        #expect(StatusText.problems(of: report).isEmpty)
        #expect(StatusText.text(of: report).contains("down, lost"))
    }
}
