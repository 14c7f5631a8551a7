import Core

#if DST_MUTATIONS
    extension Mutation {
        /// Names of scenarios that make it matter, the best first.
        package var scenarios: [String] {
            switch self {
            case .voteTwice, .voteForShorterLog, .commitByOne, .keepConflictingSuffix,
                .acceptAnyPrevious, .heartbeatCommitsUnmatched, .readBeforeOwnEntry,
                .leaseWithoutAnswers, .readWithoutRound, .skipFirstAfterStart, .forgetVote,
                .countLearners:
                [MutationHunt.raft]
            case .ackByIndex, .applyTwice, .answerFromFollower: ["leaders", "power"]
            case .ackBeforeLogSync, .loseLastLogRecord, .unknownIsDone: ["power", "leaders"]
            case .unknownIsDiscarded, .retryWithNewID, .unknownIsUnavailable: ["unanswered"]
            case .ackBeforeChunkSync, .scanStopsAtHole: ["power", "mixed"]
            case .tombstoneUnsynced, .recoveryForgetsDeletes, .garbageForgetsAbsent: ["garbage"]
            case .swapAnswers, .skipIfMatch, .skipIfNoneMatch, .listSkipsAtBorder,
                .reuseCommandID, .overwriteLeaksChunks, .overwriteQueuesNewChunks,
                .usageKeepsRemoved:
                ["calm", "mixed"]
            case .snapshotOmitsBodies, .checkpointWithoutCopy: ["snapshots"]
            case .readUnverified, .repairTrustsHeader, .serveUnchecked: ["rot"]
            case .readOneCopy: ["reading"]
            case .strayDropsHeld, .plannerCountsGone: ["lost-disk", "replacement"]
            case .neverGiveUp: ["gone"]
            case .writeDuringMove, .drainIgnoresMoves, .commitUnpulledMove, .skipEpochCheck:
                ["drain", "replacement"]
            case .refusalCountsAsCopy, .missingCopyForgotten, .repairForgetsFailure:
                ["full", "mixed"]
            case .formWithoutAll: ["formation"]
            case .acceptSecondProposal: ["founders"]
            case .sweepAsksOneRange: ["mixed", "lost-disk"]
            }
        }
    }
#endif
