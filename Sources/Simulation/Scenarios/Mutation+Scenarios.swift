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
            case .ackByIndex, .applyTwice, .answerFromFollower: ["leaders"]
            case .ackBeforeLogSync, .loseLastLogRecord, .unknownIsDone, .ackBeforeChunkSync,
                .scanStopsAtHole:
                ["power"]
            case .unknownIsDiscarded, .retryWithNewID, .unknownIsUnavailable: ["unanswered"]
            case .tombstoneUnsynced, .recoveryForgetsDeletes, .garbageForgetsAbsent: ["garbage"]
            case .skipIfNoneMatch, .listSkipsAtBorder, .reuseCommandID, .overwriteLeaksChunks,
                .overwriteQueuesNewChunks, .usageKeepsRemoved:
                ["calm"]
            case .swapAnswers, .skipIfMatch, .sweepAsksOneRange: ["mixed"]
            case .snapshotOmitsBodies, .checkpointWithoutCopy: ["snapshots"]
            case .readUnverified, .repairTrustsHeader, .serveUnchecked: ["rot"]
            case .readOneCopy, .repairForgetsFailure: ["reading"]
            case .strayDropsHeld, .plannerCountsGone: ["lost-disk"]
            case .neverGiveUp: ["gone"]
            case .writeDuringMove, .drainIgnoresMoves, .commitUnpulledMove: ["drain"]
            case .skipEpochCheck, .repairForgetsMoved: ["stale"]
            case .refusalCountsAsCopy, .missingCopyForgotten: ["full"]
            case .formWithoutAll: ["formation"]
            case .acceptSecondProposal: ["founders"]
            }
        }
    }
#endif
