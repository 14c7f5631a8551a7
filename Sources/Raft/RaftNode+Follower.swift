import Core

extension RaftNode {
    /// A message of the term's leader.
    ///
    /// - Returns: `false` if it can't be one: this node leads the term itself.
    mutating func followLeader(_ node: NodeID, now: UInt64) -> Bool {
        guard role != .leader else { return false }
        role = .follower
        leader = node
        leaderHeardAt = now
        resetElectionDeadline(now: now)
        return true
    }

    mutating func receive(_ heartbeat: RaftMessage.Heartbeat, from node: NodeID) {
        if installing == nil {
            // The leader names nothing that this node has not said to be durable in this term.
            if heartbeat.commit > log.last.index { forgotten = heartbeat.commit }
            learnCommit(min(heartbeat.commit, log.last.index))
        }
        send(.heartbeatReply(.init(stamp: heartbeat.stamp)), to: node)
    }

    /// 3.5, with the log in memory running ahead of the disk: the answer waits for it.
    mutating func receive(_ request: RaftMessage.AppendRequest, from node: NodeID) {
        // What is dropped is sent again after a heartbeat.
        if installing != nil || isBehindApplying { return }
        guard request.previous.index >= commit else {
            answer(.matched(commit), to: node, stamp: request.stamp)
            return
        }
        let known = log.term(at: request.previous.index)
        let isKnown = known != nil && Mutation.isOn(.acceptAnyPrevious)
        guard known == request.previous.term || isKnown else {
            answer(
                .rejected(previous: request.previous.index, hint: hint(for: request.previous)),
                to: node, stamp: request.stamp)
            return
        }
        let matched = request.previous.index + request.entries.count
        take(request.entries)
        learnCommit(min(request.commit, matched))
        answer(.matched(matched), to: node, stamp: request.stamp)
    }

    private mutating func answer(
        _ outcome: RaftMessage.AppendReply.Outcome, to node: NodeID, stamp: RaftMessage.Stamp
    ) {
        var isPromise = false
        if case .matched = outcome { isPromise = true }
        send(
            .appendReply(.init(outcome: outcome, stamp: stamp)), to: node, isPromise: isPromise)
    }

    /// Where the leader's log and this one may agree: at the commit index they do.
    private func hint(for previous: LogPosition) -> LogPosition {
        let newest = log.newestPosition(notAfter: previous.index, termMax: previous.term)
        if let newest, newest.index > commit { return newest }
        return LogPosition(index: commit, term: log.term(at: commit) ?? .zero)
    }

    /// More is in memory than a leader would let wait, and applying will free it.
    private var isBehindApplying: Bool {
        unappliedBytes > configuration.unappliedBytesMax * 2 && applied < commit
    }

    /// Skips entries that are there already: an old message must not cut off newer entries (3.5).
    private mutating func take(_ entries: [RaftEntry]) {
        for entry in entries {
            if entry.index <= log.last.index {
                if log.term(at: entry.index) == entry.term { continue }
                if Mutation.isOn(.keepConflictingSuffix) { continue }
                cutOff(from: entry.index)
            }
            log.append(entry)
            unappliedBytes += entry.byteCount
            if case .membership(let membership) = entry.payload {
                memberships.append(membership, at: entry.index)
            }
        }
    }

    private mutating func cutOff(from index: LogIndex) {
        precondition(index > commit, "what is committed stays")
        unappliedBytes -= log.truncate(from: index)
        _ = memberships.truncate(from: index)
        let last = log.last.index
        written = min(written, last)
        durable = min(durable, last)
        for slot in pendingWrites.indices {
            pendingWrites[slot].last = min(pendingWrites[slot].last, last)
        }
    }

    private mutating func learnCommit(_ index: LogIndex) {
        if index > commit { commit = index }
    }

    // MARK: Snapshots (5.2)

    mutating func receive(_ mark: SnapshotMark, from node: NodeID) {
        guard installing == nil else { return }
        if mark.position.index <= commit {
            answer(.matched(commit), to: node, stamp: .zero)
        } else if log.term(at: mark.position.index) == mark.position.term {
            // The log has all of it, and maybe more.
            learnCommit(mark.position.index)
            answer(.matched(mark.position.index), to: node, stamp: .zero)
        } else {
            installing = mark
            isInstallHandedOut = false
        }
    }

    /// `snapshotToInstall` is in place, durably: state machine, log and mark.
    package mutating func snapshotInstalled(now: MonotonicTime) {
        guard let mark = installing else { return }
        installing = nil
        let index = mark.position.index
        log.reset(to: mark.position)
        memberships = MembershipHistory(base: mark.membership, at: index)
        (commit, handedOut, applied, written, durable) = (index, index, index, index, index)
        (unappliedBytes, handedOutBytes) = (0, 0)
        for slot in pendingWrites.indices {
            pendingWrites[slot].last = min(pendingWrites[slot].last, index)
        }
        if let leader { answer(.matched(index), to: leader, stamp: .zero) }
    }
}
