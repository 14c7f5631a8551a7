import ArgumentParser
import Core
import Simulation

/// `dstnode simulate`: whole clusters in one thread from a seed, in bad weather.
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Try the cores in simulated bad weather.",
        subcommands: subcommands,
        defaultSubcommand: SimulateClusterCommand.self)

    private static var subcommands: [any ParsableCommand.Type] {
        let always: [any ParsableCommand.Type] = [SimulateClusterCommand.self, Raft.self]
        #if DST_MUTATIONS
            return always + [SimulateMutationsCommand.self]
        #else
            return always
        #endif
    }

    struct Raft: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run Raft groups with lost messages, partitions, crashes and torn disks.",
            discussion: "A seed replays exactly: --first SEED --seeds 1.")

        /// Seeds that one task runs before the next takes over; small enough for progress.
        static let batch: UInt64 = 50

        @Option(help: "How many worlds.")
        var seeds: UInt64 = 1000
        @Option(help: "The first seed.")
        var first: UInt64 = 0
        @Option(help: "Threads.")
        var threads = 2

        func run() async throws {
            guard seeds > 0, threads > 0, first <= .max - seeds else {
                throw ValidationError("--seeds and --threads are 1 or more")
            }
            let end = first + seeds
            var report: RaftReport?
            try await withThrowingTaskGroup(of: RaftReport.self) { group in
                var next = first
                func start() {
                    let range = next..<min(end, next + Self.batch)
                    next = range.upperBound
                    group.addTask { RaftWorld.run(seeds: range) }
                }
                for _ in 0..<threads where next < end { start() }
                while let part = try await group.next() {
                    var all = report ?? part
                    if report != nil {
                        all.seeds += part.seeds
                        all.counts += part.counts
                        all.violations += part.violations
                    }
                    report = all
                    Terminal.progress("\(all.seeds) of \(seeds) seeds")
                    if all.violations.isEmpty, next < end { start() }
                }
            }
            Terminal.endProgress()
            guard let report else { return }
            Terminal.say("\(report)")
            if !report.violations.isEmpty { throw ExitCode(1) }
        }
    }
}
