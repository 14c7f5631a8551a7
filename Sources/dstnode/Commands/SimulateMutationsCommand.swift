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
            if known { return try huntKnown() }
            let wanted = mutation.compactMap { Mutation(rawValue: $0) }
            var missed = 0
            for mutation in wanted.isEmpty ? Mutation.allCases : wanted {
                let hunt = MutationHunt(mutation, scenarios: scenario.isEmpty ? nil : scenario)
                let found = try hunt.run(from: seed, worlds: worlds) {
                    Terminal.progress("\(mutation.rawValue): \($0)")
                }
                Terminal.endProgress()
                if found == nil { missed += 1 }
                Terminal.say("\(mutation.rawValue): \(found?.description ?? "not noticed")")
            }
            if missed > 0 { throw ExitCode(1) }
        }

        private func huntKnown() throws {
            var missed: [String] = []
            for known in KnownMutation.all {
                Terminal.progress(known.mutation.rawValue)
                let found = try known.hunt()
                Terminal.endProgress()
                if found == nil { missed.append(known.mutation.rawValue) }
                Terminal.say(
                    "\(known.mutation.rawValue): \(found?.description ?? "not noticed")")
            }
            guard missed.isEmpty else {
                Terminal.complain("error: not noticed: \(missed.joined(separator: ", "))")
                throw ExitCode(1)
            }
        }
    }
#endif
