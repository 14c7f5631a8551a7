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
            SIGTERM stops the node gracefully. It ends with 78 where somebody must change \
            something first, with 75 where what stopped it may pass, and with 1 where it failed.
            """)

    @OptionGroup var flags: SettingFlags

    func run() async throws {
        let loaded = try await flags.load()
        let configuration = loaded.configuration
        LoggingSetup.bootstrap(level: configuration.logLevel, format: configuration.logFormat)
        var base: NodeBase
        do {
            try FirstProcess.checkVolume(configuration.dataPath)
            base = try NodeBase(configuration, group: MultiThreadedEventLoopGroup.singleton)
        } catch {
            throw end(error, Logger(label: configuration.role.rawValue))
        }
        OpenFiles.raiseLimit(base.logger)
        for warning in loaded.warnings { base.logger.warning("\(warning)") }
        base.logger.info(
            "starting",
            metadata: [
                "version": "\(NodeBase.version)", "path": "\(configuration.dataPath)",
                "cluster": "\(base.directory.identity.cluster.map(\.hex) ?? "none yet")",
            ])
        base.serviceManager = ServiceManager(
            environment: ProcessInfo.processInfo.environment, clocks: base.clocks,
            logger: base.logger)
        do {
            if configuration.isZoneAutomatic {
                base.configuration.zone = try await AutomaticZone.find(base)
            }
            try await NodeService.run([base], logger: base.logger)
        } catch {
            throw end(error, base.logger)
        }
    }

    /// The log's last line says what is wrong and what to do.
    private func end(_ error: any Error, _ logger: Logger) -> ExitCode {
        let reason = ExitReason(error)
        logger.critical("\(reason)")
        return reason.exitCode
    }
}
