#if DST_MUTATIONS
    import ArgumentParser
    import Core
    import Simulation

    /// `dstnode simulate mutations`: builds each known bug in, and counts the seeds until somebody
    /// notices. Only in builds that can build bugs in.
    struct SimulateMutationsCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "mutations",
            abstract: "Build each known bug in and count the worlds until it is noticed.")

        @Flag(help: "Look for each bug that is known to be noticed where it was noticed before.")
        var known = false
        @Option(help: "Only these bugs.")
        var mutation: [String] = []
        @Option(help: "Worlds for each bug at most.")
        var worlds = 30
        @Option(help: "The first seed.")
        var seed: UInt64 = 0
        @Option(help: .hidden)
        var from = 0
        @Option(help: .hidden)
        var missed: [String] = []
        @Option(help: "Scenarios in turn, instead of those that suit the bug.")
        var scenario: [String] = []

        func validate() throws {
            for name in mutation where Mutation(rawValue: name) == nil {
                throw ValidationError("no bug is called '\(name)'")
            }
            for name in scenario
            where Scenario.named(name) == nil && name != MutationHunt.raft {
                throw ValidationError("no scenario is called '\(name)'")
            }
            if scenario.count > 1, scenario.contains(MutationHunt.raft) {
                throw ValidationError("'\(MutationHunt.raft)' has no turns with others")
            }
        }

        func run() throws {
            try DeterministicProcess.ensure()
            let hunts = known ? KnownMutation.all.map(Hunt.init) : try unknown()
            var missed = self.missed
            var played = 0
            for (number, hunt) in hunts.enumerated().dropFirst(from) {
                if played >= DeterministicProcess.worldsMax {
                    let rest = ["--from", "\(number)"] + missed.flatMap { ["--missed", $0] }
                    try DeterministicProcess.become(arguments + rest)
                }
                let name = hunt.mutation.rawValue
                let found = try hunt.run { Terminal.progress("\(name): \($0)") }
                Terminal.endProgress()
                if found == nil { missed.append(name) }
                // Those of Raft leave nothing behind.
                if found?.scenario != MutationHunt.raft { played += (found?.worlds ?? worlds) + 1 }
                Terminal.say("\(name): \(found?.description ?? "not noticed")")
            }
            guard missed.isEmpty else {
                Terminal.complain("error: not noticed: \(missed.joined(separator: ", "))")
                throw ExitCode(1)
            }
        }

        private func unknown() throws -> [Hunt] {
            let wanted = mutation.compactMap { Mutation(rawValue: $0) }
            return (wanted.isEmpty ? Mutation.allCases : wanted).map { mutation in
                Hunt(mutation: mutation) { progress in
                    try MutationHunt(mutation, scenarios: scenario.isEmpty ? nil : scenario)
                        .run(from: seed, worlds: worlds, progress: progress)
                }
            }
        }

        private struct Hunt {
            let mutation: Mutation
            let run: (_ progress: (String) -> Void) throws -> MutationHunt.Found?

            init(
                mutation: Mutation,
                run: @escaping (_ progress: (String) -> Void) throws -> MutationHunt.Found?
            ) {
                self.mutation = mutation
                self.run = run
            }

            init(_ known: KnownMutation) {
                self.init(mutation: known.mutation) { _ in try known.hunt() }
            }
        }

        /// What was said to this process, but for where it began.
        private var arguments: [String] {
            var arguments = ["simulate", "mutations"]
            if known { arguments.append("--known") }
            arguments += mutation.flatMap { ["--mutation", $0] }
            arguments += ["--worlds", "\(worlds)", "--seed", "\(seed)"]
            arguments += scenario.flatMap { ["--scenario", $0] }
            return arguments
        }
    }
#endif
