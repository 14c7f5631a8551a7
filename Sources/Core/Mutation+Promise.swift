extension Mutation {
    /// What is promised, and broken by it.
    package var promise: String {
        switch self {
        case .voteTwice, .forgetVote:
            "at most one leader a term"
        case .voteForShorterLog, .commitByOne, .countLearners, .overwriteQueuesNewChunks,
            .snapshotOmitsBodies, .sweepAsksOneRange:
            "an acknowledged write is readable until deleted"
        case .keepConflictingSuffix, .acceptAnyPrevious:
            "replicas of a range hold the same"
        case .heartbeatCommitsUnmatched, .skipFirstAfterStart:
            "replicas of a range hold the same; acknowledged writes stay"
        case .readBeforeOwnEntry, .leaseWithoutAnswers, .readWithoutRound, .swapAnswers,
            .retryWithNewID:
            "operations on one key are linearizable"
        case .ackBeforeLogSync:
            "an acknowledged write survives power loss; no vote is forgotten"
        case .loseLastLogRecord:
            "an acknowledged write survives a kill; no vote is forgotten"
        case .ackByIndex:
            "an acknowledged write is readable; operations are linearizable"
        case .answerFromFollower:
            "operations on one key are linearizable; listings are exact"
        case .skipIfMatch, .skipIfNoneMatch:
            "conditional writes are exact"
        case .applyTwice:
            "operations are linearizable; acknowledged bytes stay"
        case .listSkipsAtBorder:
            "listings are exact"
        case .overwriteLeaksChunks, .garbageForgetsAbsent:
            "garbage goes"
        case .usageKeepsRemoved:
            "the ledger of usage is exact"
        case .checkpointWithoutCopy, .ackBeforeChunkSync:
            "an acknowledged write survives power loss"
        case .tombstoneUnsynced, .recoveryForgetsDeletes:
            "what was deleted stays deleted; garbage goes"
        case .scanStopsAtHole:
            "an acknowledged write survives a kill"
        case .readUnverified, .repairTrustsHeader:
            "a corrupt copy is replaced, not kept"
        case .strayDropsHeld, .writeDuringMove, .skipEpochCheck, .commitUnpulledMove,
            .repairForgetsFailure, .repairForgetsMoved:
            "redundancy: every chunk has its copies"
        case .refusalCountsAsCopy, .missingCopyForgotten:
            "an acknowledged write is on a quorum, the rest queued for repair"
        case .unknownIsDone, .reuseCommandID:
            "an acknowledged write is readable"
        case .unknownIsDiscarded, .unknownIsUnavailable:
            "an acknowledged or visible object has its bytes"
        case .serveUnchecked:
            "corrupt bytes are never served"
        case .readOneCopy:
            "readable through any failure of R-1 storage nodes"
        case .acceptSecondProposal, .formWithoutAll:
            "at most one cluster forms"
        case .neverGiveUp:
            "a lost node's partitions are re-protected"
        case .plannerCountsGone:
            "a lost or draining node's partitions are re-protected"
        case .drainIgnoresMoves:
            "a drain that says safe is safe"
        }
    }
}
