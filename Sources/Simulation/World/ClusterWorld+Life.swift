import Core

/// One life of a world: it forms, clients work while things go wrong, all is mended, and then
/// everything must be well and what clients were told must be explained.
extension ClusterWorld {
    /// Milliseconds within which the world must do what it promises, once nothing stands in its
    /// way.
    private enum Patience {
        static let ready: UInt64 = 60_000
        static let healed: UInt64 = 90_000
        static let clients: UInt64 = 120_000
        static let repaired: UInt64 = 30_000
        /// Repair delay, moves, grace of garbage, two rounds of the sweep; a node that holds no
        /// partition any more looks for what is left of 4,096 of them in eleven minutes.
        static let settled: UInt64 = 1_200_000
    }

    /// Between two looks at all disks while trouble lasts, and how often that is at most.
    private static let lookMilliseconds: UInt64 = 2_000
    private static let looksMax: UInt64 = 60
    /// Rounds of reading everything after which no copy that readers meet may be bad.
    private static let readingRounds = 3

    /// - Parameter plan: What goes wrong.
    /// - Throws: ``WorldViolation``.
    package func live(_ plan: [Disaster], troubleFor milliseconds: UInt64) throws -> WorldReport {
        let trouble = WorldTrouble(
            time, network, nodes, scenario, watch,
            inspect: { [unowned self] in inspect(isDeep: $0) })
        do {
            return try live(plan, trouble, milliseconds)
        } catch let broken as Broken {
            throw WorldViolation(
                seed: seed, scenario: scenario.name, milliseconds: time.now / 1_000_000,
                text: broken.text, diary: trouble.diary)
        }
    }

    private struct Broken: Error { var text: String }

    private func live(
        _ plan: [Disaster], _ trouble: WorldTrouble, _ milliseconds: UInt64
    ) throws -> WorldReport {
        try startAll()
        let isTroubled = scenario.troublesFormation
        if isTroubled { try suffer(plan, trouble, milliseconds) }
        guard let ready = runUntilReady(atMost: Patience.ready) else {
            throw Broken(text: "liveness: not ready within a minute: \(complaints())")
        }
        let clients = WorldClients(
            time, scenario.clients, demandsReads: scenario.demandsReads
        ) { [self] in
            nodes.compactMap { $0.process?.objects }
        }
        guard answer({ await clients.makeBucket() }) == true else {
            throw Broken(text: "liveness: no bucket could be made")
        }
        time.perform { clients.start(scenario.clients.count) }
        if isTroubled {
            time.run(until: time.now + SimulatedTime.milliseconds(10_000))
        } else {
            try suffer(plan, trouble, milliseconds)
        }
        guard let healed = runUntilReady(atMost: Patience.healed) else {
            throw Broken(text: "liveness: not well after all was mended: \(complaints())")
        }
        try end(clients)
        let settled = try settle()
        if !watch.rotten.isEmpty {
            try readUntilGood(clients)
            try reportUntilGood()
        }
        try judge(clients)
        return WorldReport(
            seed: seed, scenario: scenario.name, readyMilliseconds: ready,
            healedMilliseconds: healed, settledMilliseconds: settled,
            operationCount: clients.history.operations.count, operations: "\(clients.history)",
            disasterCount: trouble.strikeCount, simulatedSeconds: time.now / 1_000_000_000,
            stepCount: time.stepCount, fingerprint: time.random.fingerprint)
    }

    private func suffer(
        _ plan: [Disaster], _ trouble: WorldTrouble, _ milliseconds: UInt64
    ) throws {
        time.perform { trouble.begin(plan) }
        let end = time.now + SimulatedTime.milliseconds(milliseconds)
        while time.now < end, !time.isSpinning {
            let look = max(Self.lookMilliseconds, milliseconds / Self.looksMax)
            time.run(until: min(end, time.now + SimulatedTime.milliseconds(look)))
            lookAtCopies()
            if watch.violation != nil { break }
        }
        try checkLimits()
        time.perform { trouble.end() }
        if let failure = trouble.failure { throw Broken(text: failure) }
    }

    private func lookAtCopies() {
        if scenario.losesCopies, scenario.settings.sweeps { return }
        let inspection = inspect()
        if !scenario.losesCopies {
            watch.saw(inspection.gaps.union(inspection.nowhere))
            if let violation = inspection.violations.first { watch.failed(violation) }
        }
        // Whose chunks must be gone later; with the sweep all must be that nobody names.
        if !scenario.settings.sweeps { watch.named.formUnion(inspection.referenced) }
    }

    private func checkLimits() throws {
        if let violation = watch.violation { throw Broken(text: violation) }
        if time.isSpinning { throw Broken(text: "a task spins: time stands still") }
        if time.isOverfull { throw Broken(text: "work piles up without a limit") }
    }

    private func end(_ clients: WorldClients) throws {
        clients.stop()
        let end = time.now + SimulatedTime.milliseconds(Patience.clients)
        guard time.run(until: end, isDone: { clients.runningCount == 0 }) else {
            throw Broken(text: "liveness: a client hangs")
        }
        guard answer({ await clients.readAll() }) != nil else {
            throw Broken(text: "liveness: reading everything hangs")
        }
        try checkLimits()
    }

    /// Bad copies that readers find are replaced.
    private func readUntilGood(_ clients: WorldClients) throws {
        for _ in 0..<Self.readingRounds {
            watch.badCopies = []
            guard answer({ await clients.readAll() }) != nil else {
                throw Broken(text: "liveness: reading everything hangs")
            }
            if watch.badCopies.isEmpty { return }
            time.run(until: time.now + SimulatedTime.milliseconds(Patience.repaired))
        }
        throw Broken(
            text: "liveness: bad copies stay: \(watch.badCopies.sorted().joined(separator: ", "))")
    }

    /// Bad copies that no reader happened to find are replaced when somebody tells of them.
    private func reportUntilGood() throws {
        var bad = inspect(isDeep: true).rotten
        for _ in 0..<Self.readingRounds where !bad.isEmpty {
            time.perform {
                let door = nodes.compactMap { $0.process?.chunks }.first
                for copy in bad {
                    door?.report(
                        badCopyOf: copy.chunk, on: copy.node, goodSources: copy.others)
                }
            }
            time.run(until: time.now + SimulatedTime.milliseconds(Patience.repaired))
            bad = inspect(isDeep: true).rotten
        }
        if let copy = bad.first {
            throw Broken(text: "liveness: a bad copy stays: chunk \(copy.chunk) on \(copy.node)")
        }
    }

    private func judge(_ clients: WorldClients) throws {
        guard answer({ await clients.readAll() }) != nil else {
            throw Broken(text: "liveness: reading everything hangs")
        }
        let violations: [String]
        do {
            violations = try LinearizabilityChecker().check(clients.history).map { "\($0)" }
        } catch {
            throw Broken(text: "no verdict: \(error)")
        }
        if let problem = (clients.problems + violations).first { throw Broken(text: problem) }
        if let failed = clients.lastFailure { throw Broken(text: "liveness: \(failed)") }
        try checkLimits()
    }

    /// Runs until all copies are where they belong and nothing else is anywhere.
    ///
    /// - Returns: Milliseconds it took.
    private func settle() throws -> UInt64 {
        var last = inspect()
        let settled = runUntil(atMost: Patience.settled, asking: 5_000) {
            last = inspect()
            return last.isFinished || !last.violations.isEmpty || !last.nowhere.isEmpty
        }
        try checkLimits()
        // Now every copy is read as well.
        last = inspect(isDeep: true)
        if let violation = last.violations.first ?? last.nowhere.min() {
            throw Broken(text: violation)
        }
        guard let settled else {
            throw Broken(
                text: "liveness: not settled: \(last.unfinished.prefix(8).joined(separator: "; "))")
        }
        return settled
    }
}
