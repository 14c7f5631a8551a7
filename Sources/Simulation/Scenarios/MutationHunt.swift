import Core

#if DST_MUTATIONS
    /// Builds a bug in and plays worlds until one of them notices.
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

        private let mutation: Mutation
        private let scenarios: [Scenario]

        /// - Parameter scenarios: Names; `nil` for those of ``Mutation/scenarios``.
        package init(_ mutation: Mutation, scenarios: [String]? = nil) {
            self.mutation = mutation
            self.scenarios = (scenarios ?? mutation.scenarios).compactMap { Scenario.named($0) }
        }

        /// - Parameter worlds: At most so many are played, the scenarios in turn.
        /// - Returns: `nil`: nobody noticed.
        /// - Throws: Why a world could not be played.
        package func run(
            from first: UInt64, worlds: Int, progress: (String) -> Void = { _ in }
        ) throws -> Found? {
            Mutation.activate(mutation)
            defer { Mutation.activate(nil) }
            for number in 0..<worlds {
                let scenario = scenarios[number % scenarios.count]
                let seed = first + UInt64(number / scenarios.count)
                progress("\(scenario.name) \(seed)")
                do {
                    _ = try WorldTrial(seed: seed, scenario).play()
                } catch let violation as WorldViolation {
                    return Found(
                        worlds: number + 1, scenario: scenario.name, seed: seed,
                        text: violation.text)
                }
            }
            return nil
        }
    }
#endif
