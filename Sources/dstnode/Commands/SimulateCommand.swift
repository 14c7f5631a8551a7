import ArgumentParser
import Core
import Foundation
import Simulation

/// `dstnode simulate`: whole clusters in one thread from a seed, in bad weather.
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Try the cores in simulated bad weather.",
        subcommands: [Raft.self, Cluster.self])

    struct Cluster: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Run whole clusters of the real code: lost power, cut links, clocks that jump.",
            discussion:
                "A seed replays exactly: --seed SEED. Ends with 1 at the first seed that fails.")

        @Option(help: "The first seed.")
        var seed: UInt64 = 0
        @Option(help: "How many worlds, one after another.")
        var seeds: UInt64 = 1
        @Option(help: "Simulated seconds of trouble in each.")
        var seconds: UInt64 = 60
        @Flag(help: "Print what the nodes log.")
        var verbose = false

        func validate() throws {
            guard seeds > 0, seed <= .max - seeds, seconds <= 86_400 else {
                throw ValidationError("--seeds is 1 or more, --seconds at most a day")
            }
        }

        func run() throws {
            try DeterministicProcess.ensure()
            var settings = ClusterWorld.Settings()
            if verbose { settings.logLevel = .info }
            let directory = FileManager.default.temporaryDirectory.path
            for seed in seed..<seed + seeds {
                let world = ClusterWorld(seed: seed, settings: settings, in: directory)
                defer { world.end() }
                let begun = ContinuousClock.now
                do {
                    let report = try world.live(troubleFor: seconds * 1000)
                    let elapsed = (ContinuousClock.now - begun) / Double(report.simulatedSeconds)
                    Terminal.say("\(report)")
                    Terminal.progress("seed \(seed): \(elapsed) for a simulated second")
                } catch {
                    Terminal.endProgress()
                    Terminal.complain("\(error)")
                    throw ExitCode(1)
                }
            }
            Terminal.endProgress()
        }
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
