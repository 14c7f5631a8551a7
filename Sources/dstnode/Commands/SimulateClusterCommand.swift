import ArgumentParser
import Core
import Simulation

/// `dstnode simulate cluster`: worlds of the real code, one seed each.
struct SimulateClusterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster",
        abstract: "Run whole clusters of the real code: lost power, lost disks, cut links.",
        discussion:
            "A seed replays exactly: --seed SEED. Ends with 1 at the first seed that fails, after "
            + "looking for the fewest disasters that it still fails with.")

    @Option(help: "The first seed.")
    var seed: UInt64 = 0
    @Option(help: "How many worlds, one after another.")
    var seeds: UInt64 = 1
    @Option(help: "What goes wrong; each seed has its own otherwise. See --list.")
    var scenario: String?
    @Option(help: "Simulated seconds of trouble in each, instead of the scenario's own.")
    var seconds: UInt64?
    @Option(help: "The same in ticks of 50 ms, as Raft counts.")
    var ticks: UInt64?
    @Option(help: "Stop after so many real seconds.")
    var atMost: UInt64?
    @Option(help: "Of the disasters only these: numbers, separated by commas; 'none' for none.")
    var only: String?
    @Option(help: .hidden)
    var carried: String?
    @Flag(help: "Print the scenarios.")
    var list = false
    @Flag(help: "Print what the nodes log.")
    var verbose = false
    @Flag(help: "Print the first failure without looking for fewer disasters.")
    var noShrink = false

    func validate() throws {
        guard seeds > 0, seed <= .max - seeds, (1...86_400_000).contains(milliseconds ?? 1) else {
            throw ValidationError("--seeds is 1 or more, --seconds or --ticks at most a day")
        }
        if seconds != nil, ticks != nil {
            throw ValidationError("--seconds and --ticks say the same: give one")
        }
        if let scenario, Scenario.named(scenario) == nil {
            throw ValidationError("no scenario is called '\(scenario)' (see --list)")
        }
        if let only, only != "none", numbers(only) == nil {
            throw ValidationError("--only takes numbers, separated by commas")
        }
    }

    private var milliseconds: UInt64? {
        // What is too much stays too much.
        if let ticks { return min(ticks, .max / 50) * 50 }
        return seconds.map { min($0, .max / 1_000) * 1_000 }
    }

    private func numbers(_ text: String) -> Set<Int>? {
        if text == "none" { return [] }
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        return parts.contains(nil) ? nil : Set(parts.compactMap { $0 })
    }

    func run() throws {
        if list {
            for scenario in Scenario.all { Terminal.say("\(scenario.name): \(scenario.purpose)") }
            return
        }
        try DeterministicProcess.ensure()
        var sum = SimulationSum(carried) ?? SimulationSum()
        let total = sum.played + seeds
        let end = seed + seeds
        for next in seed..<end {
            if let atMost, sum.elapsed > .seconds(atMost) { break }
            if next - seed >= DeterministicProcess.worldsMax {
                try DeterministicProcess.become(arguments(from: next, to: end, sum))
            }
            sum.add(try live(next))
            Terminal.progress("seed \(next); \(sum.speed) simulated seconds in a second")
        }
        Terminal.endProgress()
        // Not among the results: they are the same each time.
        Terminal.complain(
            "played \(sum.played) of \(total) seeds: \(sum.simulatedSeconds) simulated seconds, "
                + "\(sum.speed) a second")
    }

    /// With which the rest is played.
    private func arguments(from next: UInt64, to end: UInt64, _ sum: SimulationSum) -> [String] {
        var arguments = [
            "simulate", "cluster", "--seed", "\(next)", "--seeds", "\(end - next)",
            "--carried", "\(sum)",
        ]
        let options: [(String, String?)] = [
            ("--scenario", scenario), ("--seconds", seconds.map { "\($0)" }),
            ("--ticks", ticks.map { "\($0)" }), ("--at-most", atMost.map { "\($0)" }),
            ("--only", only),
        ]
        for (name, value) in options {
            if let value { arguments += [name, value] }
        }
        if verbose { arguments.append("--verbose") }
        if noShrink { arguments.append("--no-shrink") }
        return arguments
    }

    private func live(_ seed: UInt64) throws -> WorldReport {
        var trial = WorldTrial(
            seed: seed, scenario.flatMap { Scenario.named($0) } ?? .of(seed: seed),
            milliseconds: milliseconds)
        if verbose { trial.scenario.settings.logLevel = .info }
        if let only { trial.keep(numbers(only) ?? []) }
        do {
            let report = try trial.play()
            Terminal.say("\(report)")
            return report
        } catch let violation as WorldViolation {
            Terminal.endProgress()
            Terminal.complain("\(violation)")
            if !noShrink, only == nil { try shrink(trial, violation) }
            Terminal.complain(
                "error: \(NodeBase.version), seed \(seed), scenario \(violation.scenario): "
                    + violation.text)
            throw ExitCode(1)
        }
    }

    private func shrink(_ trial: WorldTrial, _ violation: WorldViolation) throws {
        var shrinking = TrialShrinking(trial, violation)
        try shrinking.run { Terminal.progress($0) }
        Terminal.endProgress()
        Terminal.complain(
            "fails with \(shrinking.smallest.plan.count) of \(trial.plan.count) disasters:\n"
                + "  \(shrinking.violation.text)")
        for disaster in shrinking.smallest.plan {
            Terminal.complain("  \(disaster.at) ms: [\(disaster.number)] \(disaster)")
        }
        let numbers = shrinking.smallest.plan.map { "\($0.number)" }.joined(separator: ",")
        let seconds =
            ticks.map { " --ticks \($0)" } ?? seconds.map { " --seconds \($0)" } ?? ""
        Terminal.complain(
            "dstnode simulate cluster --seed \(trial.seed) --scenario \(trial.scenario.name)"
                + "\(seconds) --only \(numbers.isEmpty ? "none" : numbers)")
    }
}
