import ArgumentParser

/// The one program: a node in any role, and the tools around a cluster.
@main
struct Dstnode: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dstnode",
        abstract: "A distributed, S3-compatible object store.",
        subcommands: [
            StartCommand.self, ConfigCommand.self, StatusCommand.self, KeyCommand.self,
            DiscoverCommand.self, SecretCommand.self, HealthCommand.self, BenchCommand.self,
            ProveCommand.self, SimulateCommand.self,
            DevCommand.self,
        ])

    static func main() async {
        FirstProcess.prepare()
        await main(nil)
    }
}
