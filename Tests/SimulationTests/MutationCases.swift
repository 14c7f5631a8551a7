import Core

#if DST_MUTATIONS
    extension MutationTests {
        static let cases: [Case] = [
            Case(mutation: .skipIfMatch, scenario: "calm", seed: 4),
            Case(mutation: .skipIfNoneMatch, scenario: "calm"),
            Case(mutation: .overwriteLeaksChunks, scenario: "calm"),
            Case(mutation: .overwriteQueuesNewChunks, scenario: "calm"),
            Case(mutation: .usageKeepsRemoved, scenario: "calm"),
            Case(mutation: .swapAnswers, scenario: "calm", seed: 3),
            Case(mutation: .listSkipsAtBorder, scenario: "calm"),
            Case(mutation: .serveUnchecked, scenario: "rot"),
            Case(mutation: .ackBeforeLogSync, scenario: "power"),
            Case(mutation: .loseLastLogRecord, scenario: "power"),
            Case(mutation: .unknownIsDone, scenario: "power", seed: 5),
            Case(mutation: .ackBeforeChunkSync, scenario: "power", seed: 2),
            Case(mutation: .scanStopsAtHole, scenario: "power", seed: 2),
            Case(mutation: .voteTwice, scenario: "leaders", seed: 4),
            Case(mutation: .voteForShorterLog, scenario: "leaders", seed: 4),
            Case(mutation: .commitByOne, scenario: "leaders"),
            Case(mutation: .keepConflictingSuffix, scenario: "leaders", seed: 2),
            Case(mutation: .applyTwice, scenario: "leaders", seed: 3),
            Case(mutation: .answerFromFollower, scenario: "leaders"),
            Case(mutation: .skipFirstAfterStart, scenario: "leaders"),
            Case(mutation: .leaseWithoutAnswers, scenario: "leaders", seed: 5),
            Case(mutation: .missingCopyForgotten, scenario: "full", seed: 1),
            Case(mutation: .repairForgetsFailure, scenario: "full"),
            Case(mutation: .strayDropsHeld, scenario: "lost-disk"),
            Case(mutation: .plannerCountsGone, scenario: "lost-disk"),
            Case(mutation: .ackByIndex, scenario: "leaders", seed: 5),
            Case(mutation: .formWithoutAll, scenario: "formation", seed: 4),
            Case(mutation: .sweepAsksOneRange, scenario: "mixed"),
        ]
    }
#endif
