import Core

/// Linearizable reads without writing to the log (6.4).
extension RaftNode {
    /// ReadIndex. Answered in ``RaftReady/readStates`` under `token`, once, unless this throws.
    package mutating func readIndex(token: UInt64, now: MonotonicTime) throws(RaftError) {
        guard role == .leader else { throw .notLeader(leader: leaderHint) }
        guard pendingReads.count < configuration.pendingReadsMax else { throw .overloaded }
        // Reads that came since the last heartbeats left share the next round.
        isRoundWanted = true
        // Before its first entry is committed a leader does not know what is (6.4, step 1).
        let index = Mutation.isOn(.readBeforeOwnEntry) ? commit : max(commit, termStart)
        pendingReads.append(PendingRead(token: token, index: index, round: round + 1))
        if membership.voters == [id] || Mutation.isOn(.readWithoutRound) { concludeReads() }
    }

    mutating func concludeReads() {
        guard !pendingReads.isEmpty else { return }
        let id = id
        let confirmed =
            Quorum.reached(
                progress.lazy.filter(\.isVoter).map { $0.node == id ? .max : $0.ackedRound })
            ?? 0
        while let read = pendingReads.first,
            read.round <= confirmed || Mutation.isOn(.readWithoutRound), read.index <= commit
        {
            outbox.readStates.append(RaftReady.ReadState(token: read.token, index: read.index))
            pendingReads.removeFirst()
        }
    }

    /// A read that begins now may be answered from a state that has applied this index (6.4.1).
    /// Nil: use `readIndex`. `now` must be read for this call, not before.
    package func leaseReadIndex(now: MonotonicTime) -> LogIndex? {
        leaseEnd(now: now) == nil ? nil : commit
    }

    /// When the lease that is valid `now` ends, by this node's clock: until then nobody else leads,
    /// unless this node starts a transfer (6.4.1). Nil: there is none.
    package func leaseEnd(now: MonotonicTime) -> MonotonicTime? {
        guard role == .leader, commit >= termStart, !isLeaseForfeited else { return nil }
        let id = id
        let now = now.milliseconds
        let isLax = Mutation.isOn(.leaseWithoutAnswers)
        let acked = Quorum.reached(
            progress.lazy.filter(\.isVoter).map { $0.node == id || isLax ? now : $0.ackedAt ?? 0 })
        guard let acked, now < acked + configuration.leaseMilliseconds else { return nil }
        return MonotonicTime(milliseconds: acked + configuration.leaseMilliseconds)
    }
}
