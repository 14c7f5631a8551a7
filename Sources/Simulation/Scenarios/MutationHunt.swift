import Core

#if DST_MUTATIONS
    import Synchronization

    /// Builds a bug in and plays worlds until one of them notices. That world is then played
    /// without the bug as well: it must be well, or it has noticed something else.
    package struct MutationHunt {
        package struct Found: CustomStringConvertible {
            /// Worlds that were played, this one included.
            package var worlds: Int
            package var scenario: String
            package var seed: UInt64
            package var text: String

            package var description: String {
                "\(worlds) worlds, \(scenario) \(seed): "
                    + "\(text.split(separator: "\n").first?.prefix(160) ?? "")"
            }
        }

        /// The name of what is no scenario of whole clusters: worlds of a Raft group alone, which
        /// are so short that there are ``raftFactor`` of them for one of the others.
        package static let raft = "raft"
        private static let raftFactor = 100

        private let mutation: Mutation
        private let scenarios: [Scenario]
        private let isOfRaft: Bool

        /// - Parameter scenarios: Names; `nil` for those of ``Mutation/scenarios``.
        package init(_ mutation: Mutation, scenarios: [String]? = nil) {
            self.mutation = mutation
            let names = scenarios ?? mutation.scenarios
            isOfRaft = names == [Self.raft]
            self.scenarios = names.compactMap { Scenario.named($0) }
        }

        /// - Parameter worlds: At most so many are played, the scenarios in turn.
        /// - Returns: `nil`: nobody noticed.
        /// - Throws: Why a world could not be played; ``WorldViolation`` of a world that is not
        ///   well without the bug either, and so shows nothing.
        package func run(
            from first: UInt64, worlds: Int, progress: (String) -> Void = { _ in }
        ) throws -> Found? {
            if isOfRaft { return try huntInRaft(from: first, worlds: worlds * Self.raftFactor) }
            for number in 0..<worlds {
                let scenario = scenarios[number % scenarios.count]
                let seed = first + UInt64(number / scenarios.count)
                progress("\(scenario.name) \(seed)")
                let trial = WorldTrial(seed: seed, scenario)
                guard let violation = try playWithBug(trial) else { continue }
                try Self.expectSound(trial)
                return Found(
                    worlds: number + 1, scenario: scenario.name, seed: seed,
                    text: violation.text)
            }
            return nil
        }

        private func huntInRaft(from first: UInt64, worlds: Int) throws -> Found? {
            for seed in first..<first + UInt64(worlds) {
                Mutation.activate(mutation)
                var world = RaftWorld(seed: seed)
                let violation = world.violation()
                Mutation.activate(nil)
                guard let violation else { continue }
                var sound = RaftWorld(seed: seed)
                try sound.run()
                return Found(
                    worlds: Int(seed - first) + 1, scenario: Self.raft, seed: seed,
                    text: violation.text)
            }
            return nil
        }

        /// Worlds that this process has found to be well: many bugs share one.
        private static let sound = Mutex<Set<String>>([])

        private static func expectSound(_ trial: WorldTrial) throws {
            let name = "\(trial.scenario.name) \(trial.seed)"
            if sound.withLock({ $0.contains(name) }) { return }
            _ = try trial.play()
            sound.withLock { _ = $0.insert(name) }
        }

        private func playWithBug(_ trial: WorldTrial) throws -> WorldViolation? {
            Mutation.activate(mutation)
            defer { Mutation.activate(nil) }
            do {
                _ = try trial.play()
                return nil
            } catch let violation as WorldViolation {
                return violation
            }
        }
    }
#endif
