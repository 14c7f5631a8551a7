import AdminAPI
import ArgumentParser
import Core

/// `dstnode node`: what an operator decides about nodes, through the admin API of a gateway.
struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node", abstract: "Drain and remove nodes.",
        discussion: """
            To take a storage node out: drain it, wait until it holds nothing, stop it, remove it. \
            Nodes are named by NODE_ID or UUID, see `dstnode status`.
            """,
        subcommands: [DrainCommand.self, Undrain.self, Remove.self])

    struct Undrain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let a draining node take chunks again.")

        @Argument(help: "NODE_ID or UUID.") var name: String
        @OptionGroup var options: ClientOptions

        func run() async throws {
            try await options.client().checked("POST", AdminPaths.node(name) + "/undrain")
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove a node for ever: its certificate counts for nothing from now on.",
            discussion: """
                Its machine may come back only with an empty data directory, as a new node. \
                Refused while it runs or counts as a holder of copies.
                """)

        @Argument(help: "NODE_ID or UUID.") var name: String
        @Flag(help: "Remove it although it runs or holds copies: they are made again elsewhere.")
        var force = false
        @OptionGroup var options: ClientOptions

        func run() async throws {
            try await options.client().checked(
                "POST", AdminPaths.node(name) + "/remove" + (force ? "?force" : ""))
        }
    }
}

/// `dstnode drain`, also `dstnode node drain`.
struct DrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Move everything off a storage node.",
        discussion: """
            It takes no new chunks, and its partitions move to the others. Waits until it holds \
            nothing and ends with 0: it may be stopped and removed. Ends with 2 where that takes \
            longer than --wait: it is not yet safe to stop it for good; the draining goes on.
            """)

    @Argument(help: "NODE_ID or UUID.") var name: String
    @Option(help: "How long to wait; 0s: only begin.")
    var wait = "1h"
    @OptionGroup var options: ClientOptions

    func validate() throws {
        guard DurationText.parse(wait) != nil else {
            throw ValidationError(
                "'\(wait)' is not a duration: write a number and a unit, such as 1h")
        }
    }

    func run() async throws {
        let client = try options.client()
        try await client.checked("POST", AdminPaths.node(name) + "/drain")
        let end = ContinuousClock.now + (DurationText.parse(wait) ?? .zero)
        var last = -1
        while true {
            let report = try await client.json("GET", AdminPaths.status, as: ClusterReport.self)
            let node = report.nodes.first {
                ($0.label == name || $0.id == name) && $0.membership == "draining"
            }
            guard let node else {
                Terminal.complain("\(name) is not draining any more: somebody has changed that")
                throw ExitCode(1)
            }
            if node.partitions == 0 {
                Terminal.say("\(name) holds nothing any more: it may be stopped and removed")
                return
            }
            if node.partitions != last {
                Terminal.say("\(name) holds \(node.partitions) partitions")
                last = node.partitions
            }
            if ContinuousClock.now >= end {
                Terminal.complain(
                    "not yet safe: \(name) holds \(node.partitions) partitions; draining goes on")
                throw ExitCode(2)
            }
            try await Task.sleep(for: .seconds(1))
        }
    }
}
