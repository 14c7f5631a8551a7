import ArgumentParser
import Foundation
import Logging
import NIOPosix
import NodeConfiguration

/// `dstnode start`: one node in one role.
struct StartCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Run a node.",
        discussion: """
            Settings come from flags, the environment (NODE_TYPE=storage …) and a YAML file, in \
            this order. `dstnode config check` shows which value wins and where it comes from. \
            SIGTERM stops the node gracefully. It ends with 78 where it must be set up otherwise.
            """)

    @OptionGroup var flags: SettingFlags

    func run() async throws {
        let loaded = try await flags.load()
        let configuration = loaded.configuration
        LoggingSetup.bootstrap(level: configuration.logLevel, format: configuration.logFormat)
        let base: NodeBase
        do {
            base = try NodeBase(configuration, group: MultiThreadedEventLoopGroup.singleton)
        } catch {
            Terminal.complain("\(error)")
            throw ExitCode(EX_CONFIG)
        }
        for warning in loaded.warnings { base.logger.warning("\(warning)") }
        base.logger.info(
            "starting",
            metadata: [
                "version": "\(NodeBase.version)", "path": "\(configuration.dataPath)",
                "cluster": "\(base.directory.identity.cluster.map(\.hex) ?? "none yet")",
            ])
        try await NodeService.run([base], logger: base.logger)
    }
}
