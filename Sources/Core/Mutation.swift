#if DST_MUTATIONS
    import Synchronization
#endif

/// Bugs that are built in on purpose, each switched on by its name: so that it can be measured
/// whether the tests would find them. A build without the flag `DST_MUTATIONS` has none of them.
@usableFromInline
package enum Mutation: String, CaseIterable, Sendable {
    // Raft.

    /// A voter votes for whoever asks, also a second time: two leaders in one term.
    case voteTwice = "vote-twice"
    /// A vote goes to a log that lacks entries: what was acknowledged is lost.
    case voteForShorterLog = "vote-for-shorter-log"
    /// The leader's own copy commits an entry: what was acknowledged is lost with the leader.
    case commitByOne = "commit-by-one"
    /// Entries that conflict with the leader's stay: logs differ.
    case keepConflictingSuffix = "keep-conflicting-suffix"
    /// Entries are taken behind an entry of another term: logs differ.
    case acceptAnyPrevious = "accept-any-previous"
    /// A heartbeat commits what the follower has, matching or not: logs differ where applied.
    case heartbeatCommitsUnmatched = "heartbeat-commits-unmatched"
    /// A new leader reads before an entry of its own is committed: reads are stale.
    case readBeforeOwnEntry = "read-before-own-entry"
    /// The lease goes on without anybody's answer: a leader that was cut off reads what is stale.
    case leaseWithoutAnswers = "lease-without-answers"
    /// A read is not confirmed by a majority: a leader that was cut off reads what is stale.
    case readWithoutRound = "read-without-round"
    /// The first entry after a start or a snapshot is not applied: one replica misses a write.
    case skipFirstAfterStart = "skip-first-after-start"

    /// A vote is given and not written down: after a restart the node votes again.
    case forgetVote = "forget-vote"
    /// Learners count as voters: an entry is committed that a majority of voters lacks.
    case countLearners = "count-learners"

    // The coordinator's groups, and their log.

    /// Entries are acknowledged before the log is synced: a power cut takes what was promised.
    case ackBeforeLogSync = "ack-before-log-sync"
    /// Opening the log drops its last record, though it is whole: promises are forgotten.
    case loseLastLogRecord = "lose-last-log-record"
    /// A proposal is answered by whatever is committed at its index: a lost write is acknowledged.
    case ackByIndex = "ack-by-index"
    /// Answers of one batch go to the wrong proposals: refused is told as done.
    case swapAnswers = "swap-answers"
    /// Any replica answers questions from what it has applied: reads are stale.
    case answerFromFollower = "answer-from-follower"

    // The catalogue.

    /// `If-Match` is not compared at apply: of two who change the same version both succeed.
    case skipIfMatch = "skip-if-match"
    /// `If-None-Match` is not looked at: of two who create the same key both succeed.
    case skipIfNoneMatch = "skip-if-none-match"
    /// A repeated command is applied again: it undoes what came between.
    case applyTwice = "apply-twice"
    /// A page of a list begins one key too late: listings are inexact.
    case listSkipsAtBorder = "list-skips-at-border"
    /// An overwritten object's chunks are not queued for removal: garbage that never goes.
    case overwriteLeaksChunks = "overwrite-leaks-chunks"
    /// An overwrite queues the new chunks for removal: acknowledged bytes are deleted.
    case overwriteQueuesNewChunks = "overwrite-queues-new-chunks"
    /// The size of a removed object stays counted: the usage that is told is wrong.
    case usageKeepsRemoved = "usage-keeps-removed"
    /// A snapshot leaves the inline bodies out: acknowledged objects have no bytes.
    case snapshotOmitsBodies = "snapshot-omits-bodies"
    /// A checkpoint copies nothing, and the log is cut all the same: a power cut leaves a gap.
    case checkpointWithoutCopy = "checkpoint-without-copy"

    // The chunk store.

    /// A chunk is acknowledged before its segment is synced: a power cut takes it.
    case ackBeforeChunkSync = "ack-before-chunk-sync"
    /// Tombstones are not synced: after a power cut deleted chunks are back, for good.
    case tombstoneUnsynced = "tombstone-unsynced"
    /// Opening a store passes over the newest tombstones: deleted chunks are back, for good.
    case recoveryForgetsDeletes = "recovery-forgets-deletes"
    /// Opening a store stops at the first hole of a segment: acknowledged chunks behind are lost.
    case scanStopsAtHole = "scan-stops-at-hole"
    /// Blocks are not compared with their checksums: a corrupt copy is taken for good.
    case readUnverified = "read-unverified"

    // The storage node.

    /// A copy that is here counts as good unread: a corrupt one is never replaced.
    case repairTrustsHeader = "repair-trusts-header"
    /// All holders of a partition but its first take its chunks for strays: copies are dropped.
    case strayDropsHeld = "stray-drops-held"
    /// A partition that moves takes new chunks: its new holder misses them.
    case writeDuringMove = "write-during-move"
    /// The sweep asks one range for all: chunks that another range names are removed.
    case sweepAsksOneRange = "sweep-asks-one-range"

    /// A node takes chunks of any partition, by whatever map: copies are where nobody looks.
    case skipEpochCheck = "skip-epoch-check"

    // The operations on objects.

    /// A node's refusal counts as its copy: an object is named with fewer copies than promised.
    case refusalCountsAsCopy = "refusal-counts-as-copy"
    /// Copies that a write could not place are not queued for repair: they stay missing.
    case missingCopyForgotten = "missing-copy-forgotten"
    /// A commit of which nothing is known is told as done: a write that never was is acknowledged.
    case unknownIsDone = "unknown-is-done"
    /// Chunks are discarded although the commit may have named them: acknowledged bytes are lost.
    case unknownIsDiscarded = "unknown-is-discarded"
    /// A commit of which nothing is known is repeated as a new one: it is applied twice.
    case retryWithNewID = "retry-with-new-id"
    /// Commands have the ids of others: what was not done is answered as the other was.
    case reuseCommandID = "reuse-command-id"
    /// Corrupt blocks are served: neither the storage node nor the gateway looks at them.
    case serveUnchecked = "serve-unchecked"
    /// One copy of a chunk is asked, no other: an object with two good copies can't be read.
    case readOneCopy = "read-one-copy"

    // What a node knows of the cluster.

    /// A command that may have run is told as not done: the caller undoes what was applied.
    case unknownIsUnavailable = "unknown-is-unavailable"

    // The coordinator.

    /// An acceptor takes another proposal before the first was withdrawn: two clusters form.
    case acceptSecondProposal = "accept-second-proposal"
    /// After ten seconds a cluster is formed of those that are seen: two clusters form.
    case formWithoutAll = "form-without-all"
    /// A move is committed though its taker has not pulled all: copies are missing.
    case commitUnpulledMove = "commit-unpulled-move"
    /// A repair that could not be made leaves the queue: copies stay missing.
    case repairForgetsFailure = "repair-forgets-failure"
    /// A missing copy whose node holds the partition no more is forgotten: who took its place may
    /// lack it as well.
    case repairForgetsMoved = "repair-forgets-moved"
    /// A silent node is never given up: its partitions are never re-protected.
    case neverGiveUp = "never-give-up"
    /// The planner counts nodes that drain or are lost as holders: they keep their partitions.
    case plannerCountsGone = "planner-counts-gone"
    /// A node that drains is let go while its last partitions still move: copies are missing.
    case drainIgnoresMoves = "drain-ignores-moves"
    /// Garbage leaves the queue though a holder did not confirm: that holder keeps it for good.
    case garbageForgetsAbsent = "garbage-forgets-absent"
}

#if DST_MUTATIONS
    extension Mutation {
        private static let all = allCases
        /// Place in `all`; -1 for none.
        private static let active = Atomic<Int>(-1)

        package static func isOn(_ mutation: Mutation) -> Bool {
            let number = active.load(ordering: .relaxed)
            return number >= 0 && all[number] == mutation
        }

        /// Switches one on for the whole process and all others off; `nil`: all off.
        package static func activate(_ mutation: Mutation?) {
            let number = mutation.flatMap { all.firstIndex(of: $0) }
            active.store(number ?? -1, ordering: .relaxed)
        }
    }
#else
    extension Mutation {
        @inlinable
        package static func isOn(_ mutation: Mutation) -> Bool { false }
    }
#endif
