import ArgumentParser
import Core
import Foundation
import Logging
import NodeConfiguration

/// `dstnode start`: one node in one role.
struct StartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Run a node.",
        discussion: """
            Settings come from flags, the environment (NODE_TYPE=storage …) and a YAML file, in \
            this order. `dstnode config check` shows which value wins and where it comes from.
            """)

    @OptionGroup var flags: SettingFlags

    func run() async throws {
        let loaded = try await flags.load()
        let configuration = loaded.configuration
        LoggingSetup.bootstrap(level: configuration.logLevel, format: configuration.logFormat)
        var logger = Logger(label: configuration.role.rawValue)
        logger[metadataKey: "node"] = "\(configuration.label)"
        for warning in loaded.warnings { logger.warning("\(warning)") }
        do {
            var random = SystemRandomNumberGenerator()
            let directory = try DataDirectory.open(
                path: configuration.dataPath, role: configuration.role, using: &random)
            logger.info(
                "starting",
                metadata: [
                    "node.id": "\(directory.identity.node)", "path": "\(configuration.dataPath)",
                    "address": "\(configuration.listenAddress)",
                ])
        } catch {
            Terminal.complain("\(error)")
            throw ExitCode(EX_CONFIG)
        }
    }
}
