import ArgumentParser
import NodeConfiguration

/// `dstnode config check`: what would be in force, and where it comes from.
struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Look at a node's settings.",
        subcommands: [Check.self])

    struct Check: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check all settings and print the effective ones with their origins.")

        @OptionGroup var flags: SettingFlags

        func run() async throws {
            let loaded = try await flags.load()
            Terminal.say(loaded.report)
            for warning in loaded.warnings { Terminal.complain("warning: \(warning)") }
        }
    }
}
