import Core

extension RaftNode {
    /// 4.1: one voter at a time. The change is in effect at once; it is done when the entry at the
    /// position returned is committed.
    package mutating func proposeMembership(
        _ change: MembershipChange, now: MonotonicTime
    ) throws(RaftError) -> LogPosition {
        try checkProposal()
        // One at a time, and not before an entry of this term is committed: or two leaders' changes
        // could have majorities that do not meet (Ongaro, raft-dev, 10 July 2015).
        guard commit >= termStart, memberships.currentIndex <= commit else {
            throw .membershipBusy
        }
        guard let changed = membership.applying(change),
            changed.voters.count + changed.learners.count <= RaftLimits.membersMax
        else { throw .membershipPointless }
        appendOwn(.membership(changed))
        memberships.append(changed, at: log.last.index)
        rebuildProgress(now: now.milliseconds)
        return log.last
    }

    /// Keeps what is known of members that stay. This node is always among them.
    mutating func rebuildProgress(now: UInt64) {
        let members = membership.voters + membership.learners
        let isMember = membership.contains(id)
        progress = (isMember ? members : members + [id]).map { node in
            var peer =
                progress.first { $0.node == node }
                ?? Progress(
                    node: node, isVoter: false, next: log.last.index.next, since: now)
            peer.isVoter = membership.isVoter(node)
            return peer
        }
        recordOwnProgress()
    }

    /// 4.2.2: a leader that isn't a member leads until its removal is committed. The best voter
    /// goes on without an election time-out.
    mutating func leaveAsRemoved(now: UInt64) {
        isHeartbeatWanted = true
        sendAll(now: now)
        let heir = progress.filter { $0.isVoter && $0.match == log.last.index }
            .max { ($0.ackedAt ?? 0, $0.node) < ($1.ackedAt ?? 0, $1.node) }
        if let heir { send(.timeoutNow, to: heir.node) }
        becomeFollower(term: term, leader: nil, now: now)
    }

    /// 3.10: stops taking proposals, brings `node` up to date, and lets it campaign at once. Given
    /// up after an election time-out.
    package mutating func transferLeadership(
        to node: NodeID, now: MonotonicTime
    ) throws(RaftError) {
        guard role == .leader else { throw .notLeader(leader: leaderHint) }
        guard node != id, membership.isVoter(node) else { throw .notAnotherVoter }
        if transfer?.to == node { return }
        transfer = Transfer(to: node, deadline: now.milliseconds + timeoutMilliseconds)
        isAppendWanted = true
        if let slot = slot(of: node) { continueTransfer(slot: slot) }
    }

    mutating func continueTransfer(slot: Int) {
        guard role == .leader, slot < progress.count, let transfer, !transfer.isSent,
            transfer.to == progress[slot].node, progress[slot].match == log.last.index
        else { return }
        // From here on the lease says nothing, even if the transfer is given up (6.4.1).
        isLeaseForfeited = true
        self.transfer?.isSent = true
        send(.timeoutNow, to: transfer.to)
    }
}
