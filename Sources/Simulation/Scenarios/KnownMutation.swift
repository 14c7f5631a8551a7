import Core

#if DST_MUTATIONS
    /// A built-in bug and a world that notices it: what is looked for again whenever all is tested.
    package struct KnownMutation: Sendable {
        package var mutation: Mutation
        package var scenario: String
        package var seed: UInt64
        /// Worlds from there on that are played first, and worlds from the first on where those
        /// notice nothing any more: any change of the program makes other worlds of the seeds.
        private static let worldsThere = 2
        private static let worldsMax = 30

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
            let hunt = MutationHunt(mutation, scenarios: [scenario])
            return try hunt.run(from: seed, worlds: Self.worldsThere)
                ?? hunt.run(from: 0, worlds: Self.worldsMax)
        }

        package static let all = [
            KnownMutation(.voteTwice, "raft"),
            KnownMutation(.voteForShorterLog, "raft", seed: 4),
            KnownMutation(.commitByOne, "raft"),
            KnownMutation(.keepConflictingSuffix, "raft"),
            KnownMutation(.acceptAnyPrevious, "raft", seed: 45),
            KnownMutation(.heartbeatCommitsUnmatched, "raft", seed: 1),
            KnownMutation(.readBeforeOwnEntry, "raft", seed: 6),
            KnownMutation(.leaseWithoutAnswers, "raft", seed: 8),
            KnownMutation(.readWithoutRound, "raft", seed: 61),
            KnownMutation(.skipFirstAfterStart, "raft"),
            KnownMutation(.forgetVote, "raft", seed: 1133),
            KnownMutation(.countLearners, "raft", seed: 1350),
            KnownMutation(.skipIfNoneMatch, "calm"),
            KnownMutation(.listSkipsAtBorder, "calm"),
            KnownMutation(.overwriteLeaksChunks, "calm"),
            KnownMutation(.overwriteQueuesNewChunks, "calm"),
            KnownMutation(.usageKeepsRemoved, "calm"),
            KnownMutation(.reuseCommandID, "calm"),
            KnownMutation(.writeDuringMove, "drain", seed: 3),
            KnownMutation(.commitUnpulledMove, "drain", seed: 6),
            KnownMutation(.drainIgnoresMoves, "drain"),
            KnownMutation(.formWithoutAll, "formation", seed: 4),
            KnownMutation(.acceptSecondProposal, "founders", seed: 6),
            KnownMutation(.refusalCountsAsCopy, "full"),
            KnownMutation(.missingCopyForgotten, "full"),
            KnownMutation(.tombstoneUnsynced, "garbage", seed: 1),
            KnownMutation(.recoveryForgetsDeletes, "garbage"),
            KnownMutation(.garbageForgetsAbsent, "garbage"),
            KnownMutation(.neverGiveUp, "gone"),
            KnownMutation(.ackByIndex, "leaders", seed: 5),
            KnownMutation(.answerFromFollower, "leaders"),
            KnownMutation(.applyTwice, "leaders", seed: 3),
            KnownMutation(.strayDropsHeld, "lost-disk"),
            KnownMutation(.plannerCountsGone, "lost-disk"),
            KnownMutation(.swapAnswers, "mixed"),
            KnownMutation(.skipIfMatch, "mixed"),
            KnownMutation(.sweepAsksOneRange, "mixed"),
            KnownMutation(.ackBeforeLogSync, "power"),
            KnownMutation(.loseLastLogRecord, "power"),
            KnownMutation(.ackBeforeChunkSync, "power"),
            KnownMutation(.scanStopsAtHole, "power"),
            KnownMutation(.unknownIsDone, "power"),
            KnownMutation(.readOneCopy, "reading"),
            KnownMutation(.repairForgetsFailure, "reading"),
            KnownMutation(.readUnverified, "rot", seed: 1),
            KnownMutation(.repairTrustsHeader, "rot"),
            KnownMutation(.serveUnchecked, "rot"),
            KnownMutation(.snapshotOmitsBodies, "snapshots"),
            KnownMutation(.checkpointWithoutCopy, "snapshots"),
            KnownMutation(.skipEpochCheck, "stale", seed: 5),
            KnownMutation(.repairForgetsMoved, "stale", seed: 1),
            KnownMutation(.unknownIsDiscarded, "unanswered", seed: 1),
            KnownMutation(.retryWithNewID, "unanswered"),
            KnownMutation(.unknownIsUnavailable, "unanswered"),
        ]
    }
#endif
