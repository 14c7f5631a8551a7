import AdminAPI
import ArgumentParser
import Core

/// `dstnode status`: the cluster at a glance.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Print the cluster: nodes, leaders, anything wrong.",
        discussion: "Ends with 0 where all is well, with 2 where something is wrong.")

    @Flag(help: "Print JSON.")
    var json = false
    @OptionGroup var options: ClientOptions

    func run() async throws {
        let report = try await options.client().json(
            "GET", AdminPaths.status, as: ClusterReport.self)
        if json {
            try Terminal.sayJSON(report)
        } else {
            Terminal.say(StatusText.text(of: report))
        }
        if !StatusText.problems(of: report).isEmpty { throw ExitCode(2) }
    }
}

/// A report as people read it.
enum StatusText {
    static func text(of report: ClusterReport) -> String {
        let labels = Dictionary(
            report.nodes.map { ($0.id, $0.label) }, uniquingKeysWith: { first, _ in first })
        var nodes = TextTable([
            "NODE", "ROLE", "ZONE", "ADDRESS", "STATE", "PARTITIONS", "USED", "CAPACITY",
            "ID",
        ])
        for node in report.nodes.sorted(by: { ($0.role, $0.label) < ($1.role, $1.label) }) {
            let isStorage = node.role == "storage"
            nodes.append([
                node.label, node.role, node.zone, node.address,
                state(of: node),
                isStorage ? "\(node.partitions)" : "-",
                isStorage ? ByteSize.format(Int(clamping: node.usedBytes)) : "-",
                isStorage ? ByteSize.format(Int(clamping: node.capacityBytes)) : "-", node.id,
            ])
        }
        var ranges = TextTable(["RANGE", "LEADER", "TERM", "COMMITTED", "VOTERS", "LEARNERS"])
        for range in report.ranges {
            ranges.append([
                range.name, range.leader.map { labels[$0] ?? $0 } ?? "none", "\(range.term)",
                "\(range.commitIndex)",
                range.voters.map { labels[$0] ?? $0 }.sorted().joined(separator: ","),
                range.learners.map { labels[$0] ?? $0 }.sorted().joined(separator: ","),
            ])
        }
        let problems = problems(of: report)
        let summary =
            problems.isEmpty
            ? "all is well" : (["wrong:"] + problems.map { "  \($0)" }).joined(separator: "\n")
        return """
            cluster \(report.name) \(report.cluster), \(report.replicationFactor) copies, map \
            \(report.epoch)

            \(nodes.text)

            \(ranges.text)

            partitions: \(report.partitions.total), \(report.partitions.moving) moving, \
            \(report.partitions.underReplicated) with too few copies
            \(summary)
            """
    }

    private static func state(of node: ClusterReport.Node) -> String {
        switch node.membership {
        case "member": node.state
        case "draining" where node.partitions == 0: "\(node.state), drained"
        default: "\(node.state), \(node.membership)"
        }
    }

    /// Everything that somebody should look at.
    static func problems(of report: ClusterReport) -> [String] {
        var problems = report.problems
        let members = Set(report.nodes.filter { $0.membership == "member" }.map(\.label))
        for node in report.nodes where node.membership != "left" {
            // Another has its place and its label: nobody waits for it any more.
            if node.membership == "lost", members.contains(node.label) { continue }
            // A gateway holds nothing: one that was stopped is missed by nobody.
            let isFarewell = node.role == "gateway" && node.state == "stopped"
            // A drained node holds nothing either.
            let isDrained = node.membership == "draining" && node.partitions == 0
            if node.state != "up", !isFarewell, !isDrained {
                problems.append("\(node.label) is \(node.state)")
            }
            problems += node.problems.map { "\(node.label): \($0)" }
        }
        for range in report.ranges where range.leader == nil {
            problems.append("\(range.name) has no leader")
        }
        if report.partitions.underReplicated > 0 {
            problems.append("\(report.partitions.underReplicated) partitions have too few copies")
        }
        return problems
    }
}
