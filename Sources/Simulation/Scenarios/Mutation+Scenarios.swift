import Core

#if DST_MUTATIONS
    extension Mutation {
        /// Names of scenarios that make it matter, the best first.
        package var scenarios: [String] {
            switch self {
            case .voteTwice, .voteForShorterLog, .commitByOne, .keepConflictingSuffix,
                .acceptAnyPrevious, .heartbeatCommitsUnmatched, .ackByIndex, .applyTwice,
                .answerFromFollower, .skipFirstAfterStart:
                ["leaders", "power", "mixed"]
            case .leaseWithoutAnswers, .readWithoutRound: ["leaders", "clocks"]
            case .readBeforeOwnEntry: ["slow", "leaders"]
            case .ackBeforeLogSync, .loseLastLogRecord, .unknownIsDone, .unknownIsDiscarded,
                .retryWithNewID, .unknownIsUnavailable:
                ["power", "leaders"]
            case .ackBeforeChunkSync, .tombstoneUnsynced, .recoveryForgetsDeletes,
                .scanStopsAtHole:
                ["power", "mixed"]
            case .swapAnswers, .skipIfMatch, .skipIfNoneMatch, .listSkipsAtBorder,
                .overwriteLeaksChunks, .overwriteQueuesNewChunks, .usageKeepsRemoved:
                ["calm", "mixed"]
            case .snapshotOmitsBodies, .checkpointWithoutCopy: ["lost-coordinator", "power"]
            case .readUnverified, .repairTrustsHeader, .serveUnchecked, .readOneCopy: ["rot"]
            case .strayDropsHeld, .commitUnpulledMove, .neverGiveUp, .plannerCountsGone:
                ["lost-disk", "replacement"]
            case .writeDuringMove, .drainIgnoresMoves: ["drain", "replacement"]
            case .refusalCountsAsCopy, .missingCopyForgotten, .repairForgetsFailure:
                ["full", "mixed"]
            case .acceptSecondProposal, .formWithoutAll: ["formation"]
            case .sweepAsksOneRange, .garbageForgetsAbsent: ["mixed", "lost-disk"]
            }
        }
    }
#endif
