import ArgumentParser

/// The one program: a node in any role, and the tools around a cluster.
@main
struct Dstnode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dstnode",
        abstract: "A distributed, S3-compatible object store.",
        version: NodeBase.version,
        subcommands: [
            StartCommand.self, ConfigCommand.self, StatusCommand.self, KeyCommand.self,
            TokenCommand.self, NodeCommand.self, DrainCommand.self, DiscoverCommand.self,
            SecretCommand.self, HealthCommand.self, BenchCommand.self, ProveCommand.self,
            SimulateCommand.self, DevCommand.self,
        ])

    static func main() async {
        FirstProcess.prepare()
        await main(ProcessArguments.missedByRuntime)
    }
}
