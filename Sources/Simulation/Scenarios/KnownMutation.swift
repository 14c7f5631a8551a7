import Core

#if DST_MUTATIONS
    /// A built-in bug and a world that notices it: what is looked for again whenever all is tested.
    package struct KnownMutation: Sendable {
        package var mutation: Mutation
        package var scenario: String
        package var seed: UInt64
        /// Worlds from there on that are played at most.
        package static let worldsMax = 4

        private init(_ mutation: Mutation, _ scenario: String, seed: UInt64 = 0) {
            self.mutation = mutation
            self.scenario = scenario
            self.seed = seed
        }

        /// Plays the worlds.
        ///
        /// - Returns: `nil`: nobody noticed.
        /// - Throws: Why a world could not be played.
        package func hunt() throws -> MutationHunt.Found? {
            try MutationHunt(mutation, scenarios: [scenario])
                .run(from: seed, worlds: Self.worldsMax)
        }

        package static let all = [
            KnownMutation(.skipIfMatch, "calm", seed: 4),
            KnownMutation(.skipIfNoneMatch, "calm"),
            KnownMutation(.overwriteLeaksChunks, "calm"),
            KnownMutation(.overwriteQueuesNewChunks, "calm"),
            KnownMutation(.usageKeepsRemoved, "calm"),
            KnownMutation(.swapAnswers, "calm", seed: 3),
            KnownMutation(.listSkipsAtBorder, "calm"),
            KnownMutation(.serveUnchecked, "rot"),
            KnownMutation(.ackBeforeLogSync, "power"),
            KnownMutation(.loseLastLogRecord, "power"),
            KnownMutation(.unknownIsDone, "power", seed: 5),
            KnownMutation(.ackBeforeChunkSync, "power", seed: 2),
            KnownMutation(.scanStopsAtHole, "power", seed: 2),
            KnownMutation(.voteTwice, "leaders", seed: 4),
            KnownMutation(.voteForShorterLog, "leaders", seed: 4),
            KnownMutation(.commitByOne, "leaders"),
            KnownMutation(.keepConflictingSuffix, "leaders", seed: 2),
            KnownMutation(.ackByIndex, "leaders", seed: 5),
            KnownMutation(.applyTwice, "leaders", seed: 3),
            KnownMutation(.answerFromFollower, "leaders"),
            KnownMutation(.skipFirstAfterStart, "leaders"),
            KnownMutation(.leaseWithoutAnswers, "clocks", seed: 10),
            KnownMutation(.missingCopyForgotten, "full", seed: 1),
            KnownMutation(.refusalCountsAsCopy, "full", seed: 5),
            KnownMutation(.repairForgetsFailure, "full"),
            KnownMutation(.formWithoutAll, "formation", seed: 4),
            KnownMutation(.sweepAsksOneRange, "mixed"),
            KnownMutation(.strayDropsHeld, "lost-disk"),
            KnownMutation(.plannerCountsGone, "lost-disk"),
        ]
    }
#endif
