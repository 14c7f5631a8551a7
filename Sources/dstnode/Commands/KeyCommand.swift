import AdminAPI
import ArgumentParser
import Core
import Foundation

/// `dstnode key`: access keys, through the admin API of a gateway.
struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key", abstract: "Create, list, disable, enable and delete access keys.",
        subcommands: [Create.self, List.self, Disable.self, Enable.self, Delete.self])

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create an access key; its secret is shown this once.")

        @Option(help: "For people, 64 characters at most.")
        var label = ""
        @Flag(help: "Print JSON.")
        var json = false
        @OptionGroup var options: ClientOptions

        func run() async throws {
            let created = try await options.client().json(
                "POST", AdminPaths.keys, body: NewAccessKey(label: label),
                as: CreatedAccessKey.self)
            if json {
                try Terminal.sayJSON(created)
            } else {
                Terminal.say("export AWS_ACCESS_KEY_ID=\(created.id)")
                Terminal.say("export AWS_SECRET_ACCESS_KEY=\(created.secret)")
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the access keys.")

        @Flag(help: "Print JSON.")
        var json = false
        @OptionGroup var options: ClientOptions

        func run() async throws {
            let list = try await options.client().json(
                "GET", AdminPaths.keys, as: AccessKeyList.self)
            if json { return try Terminal.sayJSON(list) }
            var table = TextTable(["KEY", "STATE", "CREATED", "LABEL"])
            for key in list.keys {
                table.append([
                    key.id, key.isEnabled ? "enabled" : "disabled",
                    Timestamp.iso8601(WallTime(milliseconds: key.createdMilliseconds)), key.label,
                ])
            }
            Terminal.say(table.text)
        }
    }

    struct Disable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuse a key's requests from now on.")

        @Argument(help: "The access key.") var id: String
        @OptionGroup var options: ClientOptions

        func run() async throws {
            try await options.client().checked("POST", AdminPaths.disable(id))
        }
    }

    struct Enable: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Accept a key again.")

        @Argument(help: "The access key.") var id: String
        @OptionGroup var options: ClientOptions

        func run() async throws {
            try await options.client().checked("POST", AdminPaths.enable(id))
        }
    }

    struct Delete: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Delete a key for ever.")

        @Argument(help: "The access key.") var id: String
        @OptionGroup var options: ClientOptions

        func run() async throws {
            try await options.client().checked("DELETE", AdminPaths.key(id))
        }
    }
}
