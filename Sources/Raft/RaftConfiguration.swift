import Core

/// One member's settings. All members of a group must agree on `electionTimeoutMilliseconds` and
/// `clockDriftPercentMax`, or a lease may outlive its leader.
package struct RaftConfiguration: Hashable, Sendable {
    package var id: NodeID
    /// A follower campaigns after 1 to 2 times this without a leader, votes for nobody within 1
    /// time of hearing a leader, and a leader without a majority for this long steps down.
    package var electionTimeoutMilliseconds: UInt64 = 1000
    package var heartbeatMilliseconds: UInt64 = 100
    /// How much slower the slowest clock may run than the fastest: a lease lasts
    /// (100 - this) % of the election timeout.
    package var clockDriftPercentMax: UInt64 = 10
    /// Append messages to one follower that are not answered yet.
    package var inflightAppendsMax = 64
    /// Bytes of entries in one append message; one entry may exceed it.
    package var appendBytesMax = 256 << 10
    /// Bytes of entries in all unanswered appends to one follower.
    package var inflightBytesMax = 4 << 20
    /// Bytes of entries not yet applied; beyond it, proposals are refused.
    package var unappliedBytesMax = 16 << 20
    /// Bytes of entries in one batch of committed ones; also of those handed out and not applied.
    package var commitBatchBytesMax = 1 << 20
    /// Bytes of entries kept in memory after they were applied, for slow followers.
    package var tailBytesMax = 4 << 20
    /// Reads that wait for confirmation; beyond it they are refused.
    package var pendingReadsMax = 4096

    package init(id: NodeID) { self.id = id }

    /// Relations between the settings; a violation is a programmer error.
    package func check() {
        precondition(heartbeatMilliseconds > 0)
        precondition(heartbeatMilliseconds * 3 <= electionTimeoutMilliseconds, "two may get lost")
        precondition(clockDriftPercentMax < 100, "a lease lasts longer than nothing")
        precondition(leaseMilliseconds >= heartbeatMilliseconds * 2, "heartbeats renew the lease")
        precondition(inflightAppendsMax > 0)
        precondition(appendBytesMax > 0)
        precondition(appendBytesMax <= inflightBytesMax)
        precondition(inflightBytesMax <= unappliedBytesMax, "a window fits the follower's memory")
        precondition(commitBatchBytesMax > 0)
        precondition(tailBytesMax >= appendBytesMax, "a follower that is not slow reads memory")
        precondition(pendingReadsMax > 0)
    }

    var leaseMilliseconds: UInt64 {
        electionTimeoutMilliseconds * (100 - clockDriftPercentMax) / 100
    }
}
