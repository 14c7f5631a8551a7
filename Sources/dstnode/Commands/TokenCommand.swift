import AdminAPI
import ArgumentParser
import Core
import Foundation
import NodeConfiguration

/// `dstnode token`: join tokens, through the admin API of a gateway or beside a coordinator.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Create, list and revoke join tokens.",
        discussion: """
            With a join token, a storage node or gateway joins the cluster without \
            CLUSTER_SECRET: set JOIN_TOKEN or JOIN_TOKEN_FILE. One token serves any number of \
            nodes of its role until it expires. A node that has joined needs it no more: its \
            certificate renews itself, also when the token has expired or was revoked.

            Beside a coordinator, with its settings in the environment (NODE_TYPE=coordinator, \
            CLUSTER_SECRET or CLUSTER_SECRET_FILE) and no gateway named, the coordinators are \
            asked: the first gateway may join by a token, too.
            """,
        subcommands: [Create.self, List.self, Revoke.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a join token; it is shown this once.")

        @Option(help: "storage or gateway.")
        var role: String
        @Option(help: "How long nodes may join by it, such as 30m, 24h or 90d.")
        var expires = "24h"
        @Option(help: "For people, 64 characters at most.")
        var label = ""
        @Flag(help: "Print JSON.")
        var json = false
        @OptionGroup var options: ClientOptions

        func validate() throws {
            guard let role = NodeRole(rawValue: role), role != .coordinator else {
                throw ValidationError(
                    "'\(role)' has no join tokens: write storage or gateway (coordinators hold "
                        + "CLUSTER_SECRET)")
            }
            guard let duration = DurationText.parse(expires), duration >= .seconds(60) else {
                throw ValidationError(
                    "'\(expires)' is no time of a minute or more: write 30m, 24h or 90d")
            }
        }

        func run() async throws {
            let seconds = DurationText.parse(expires)?.components.seconds ?? 0
            let created = try await TokenDesk(options).create(
                NewJoinToken(role: role, expiresSeconds: Int(seconds), label: label))
            if json { try Terminal.sayJSON(created) } else { Terminal.say(created.token) }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the join tokens; those that expired a month ago are gone.")

        @Flag(help: "Print JSON.")
        var json = false
        @OptionGroup var options: ClientOptions

        func run() async throws {
            let list = try await TokenDesk(options).list()
            if json { return try Terminal.sayJSON(list) }
            var table = TextTable(["TOKEN", "ROLE", "STATE", "CREATED", "EXPIRES", "LABEL"])
            for token in list.tokens {
                table.append([
                    token.id, token.role, token.state,
                    Timestamp.iso8601(WallTime(milliseconds: token.createdMilliseconds)),
                    Timestamp.iso8601(WallTime(milliseconds: token.expiresMilliseconds)),
                    token.label,
                ])
            }
            Terminal.say(table.text)
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let no more nodes join by a token.",
            discussion: "Nodes that have joined by it stay.")

        @Argument(help: "The token's id, as the list shows it.") var id: String
        @OptionGroup var options: ClientOptions

        func run() async throws {
            try await TokenDesk(options).revoke(id)
        }
    }
}
