import Raft
import RaftLog

/// Limits of the runner of Raft groups.
package enum RaftHostLimits {
    /// Proposals and questions that wait for the loop; more are refused.
    static let requestsQueuedMax = 8_192
    /// Proposals of one group that are not applied yet; more are refused.
    static let proposalsPendingMax = 8_192
    /// Questions of one group that wait for confirmation or for being applied; more are refused.
    static let readsPendingMax = 8_192
    /// Bytes of received messages that wait for the loop; more are dropped, as the network might.
    static let messageBytesQueuedMax = 32 << 20
    /// Messages to one peer are sent once they reach this, and at the end of a turn.
    static let batchBytesTarget = 512 << 10
    /// Questions that wait for a reader thread; more are refused.
    static let readerJobsMax = 2_048
    package static let readerCount = 2
    /// Rounds of one group's core within one turn of the loop.
    static let readyRoundsMax = 4
    /// Bytes of a snapshot read, sent and written at once.
    static let snapshotPieceBytes = 256 << 10
    /// Snapshots being sent at the same time, and waiting to be.
    static let snapshotSendersMax = 2
    static let snapshotJobsMax = 64
    package static let snapshotBytesMax = 1 << 40
    /// Pause after a snapshot could not be sent.
    static let snapshotRetry = Duration.seconds(1)
    /// How long a full disk is waited for before the process stops.
    static let fullDiskMilliseconds: UInt64 = 60_000
    static let fullDiskRetryMilliseconds: UInt64 = 250
    /// Entries that a slow follower may lack without needing a snapshot.
    package static let entriesKeptMax = 8_192
    /// A learner this close to the leader's log has caught up.
    static let caughtUpEntries = 256
    /// How long a graceful stop waits for others to take over.
    static let handOverMilliseconds: UInt64 = 3_000
    /// How often a leader thinks of handing over for balance, and the pause after a failed try.
    package static let balanceMilliseconds: UInt64 = 15_000
    package static let maintenanceMilliseconds: UInt64 = 1_000

    /// Relations between limits. Run once at start-up and once in a test.
    package static func check() {
        precondition(readerCount > 0)
        precondition(proposalsPendingMax >= requestsQueuedMax, "what was queued can be pending")
        precondition(messageBytesQueuedMax > batchBytesTarget * 2, "a batch is not always dropped")
        precondition(snapshotPieceBytes <= batchBytesTarget)
        precondition(fullDiskRetryMilliseconds < fullDiskMilliseconds)
        RaftLimits.check()
        RaftLogLimits.check()
    }
}
