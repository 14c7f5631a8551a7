import Core

extension RaftNode {
    mutating func becomeLeader(now: UInt64) {
        role = .leader
        leader = id
        progress = []
        isLeaseForfeited = false
        heartbeatDue = now
        termStart = log.last.index.next
        rebuildProgress(now: now)
        // 3.6.2, 6.4: what older terms left is committed by an entry of this one.
        appendOwn(.empty)
    }

    mutating func abandonLeadership() {
        progress = []
        transfer = nil
        for read in pendingReads {
            outbox.readStates.append(RaftReady.ReadState(token: read.token, index: nil))
        }
        pendingReads.removeAll()
        isRoundWanted = false
        isHeartbeatWanted = false
        isAppendWanted = false
    }

    mutating func tickLeader(now: UInt64) {
        // Check-quorum (6.2): a leader that a partition cut off stops refusing better ones.
        if now >= quorumAckedAt(now: now) + timeoutMilliseconds,
            !Mutation.isOn(.leaseWithoutAnswers), !Mutation.isOn(.readWithoutRound)
        {
            becomeFollower(term: term, leader: nil, now: now)
            return
        }
        if let transfer, now >= transfer.deadline { self.transfer = nil }
        if now >= heartbeatDue { isHeartbeatWanted = true }
    }

    /// When the leader sent what a majority has answered.
    func quorumAckedAt(now: UInt64) -> UInt64 {
        let id = id
        return Quorum.reached(
            progress.lazy.filter(\.isVoter).map { $0.node == id ? now : $0.ackedAt ?? $0.since })
            ?? 0
    }

    // MARK: Proposals

    /// All of `commands` or none.
    package mutating func propose(
        _ commands: [[UInt8]], now: MonotonicTime
    ) throws(RaftError) -> RaftProposal {
        try checkProposal()
        var bytes = 0
        for command in commands {
            if command.count > RaftLimits.commandBytesMax { throw .commandTooLarge }
            bytes += command.count + RaftLimits.entryOverheadBytes
        }
        if unappliedBytes > 0, unappliedBytes + bytes > configuration.unappliedBytesMax {
            throw .overloaded
        }
        let first = log.last.index.next
        for command in commands { appendOwn(.command(command)) }
        return RaftProposal(term: term, first: first, count: commands.count)
    }

    func checkProposal() throws(RaftError) {
        guard role == .leader else { throw .notLeader(leader: leaderHint) }
        // A leader that is removed still commits its removal, but nothing else (4.2.2).
        guard membership.isVoter(id) else { throw .notLeader(leader: nil) }
        if let transfer { throw .transferring(to: transfer.to) }
    }

    mutating func appendOwn(_ payload: RaftEntry.Payload) {
        let entry = RaftEntry(term: term, index: log.last.index.next, payload: payload)
        log.append(entry)
        unappliedBytes += entry.byteCount
        isAppendWanted = true
    }

    // MARK: Sending

    /// All appends and heartbeats that are due; one batch, whatever was proposed since the last.
    mutating func sendAll(now: UInt64) {
        if isRoundWanted {
            isRoundWanted = false
            round += 1
            isHeartbeatWanted = true
        }
        if isHeartbeatWanted {
            isHeartbeatWanted = false
            heartbeatDue = now + configuration.heartbeatMilliseconds
            for peer in progress where peer.node != id {
                let commit =
                    Mutation.isOn(.heartbeatCommitsUnmatched) ? commit : min(commit, peer.match)
                send(.heartbeat(.init(commit: commit, stamp: stamp(now: now))), to: peer.node)
            }
        }
        guard isAppendWanted else { return }
        isAppendWanted = false
        for slot in progress.indices where progress[slot].node != id {
            sendAppends(slot: slot, now: now)
        }
    }

    private func stamp(now: UInt64) -> RaftMessage.Stamp {
        RaftMessage.Stamp(sentAt: now, round: round)
    }

    private mutating func sendAppends(slot: Int, now: UInt64) {
        while progress[slot].canSend(configuration) {
            if progress[slot].state == .replicate, progress[slot].next > log.last.index { return }
            guard sendAppend(slot: slot, isEmpty: false, now: now) else { return }
        }
    }

    /// - Returns: `false` if the entries are not in memory: they were asked for.
    @discardableResult
    private mutating func sendAppend(slot: Int, isEmpty: Bool, now: UInt64) -> Bool {
        let next = progress[slot].next
        guard next > log.start.index, let previousTerm = log.term(at: next.previous) else {
            fetchOlder(slot: slot)
            return false
        }
        let (entries, bytes) =
            isEmpty
            ? ([], 0)
            : log.slice(
                from: next, through: log.last.index, bytesMax: configuration.appendBytesMax)
        sendEntries(
            entries, bytes: bytes,
            after: LogPosition(index: next.previous, term: previousTerm), slot: slot, now: now)
        return true
    }

    private mutating func sendEntries(
        _ entries: [RaftEntry], bytes: Int, after previous: LogPosition, slot: Int, now: UInt64
    ) {
        let request = RaftMessage.AppendRequest(
            previous: previous, entries: entries, commit: commit, stamp: stamp(now: now))
        send(.append(request), to: progress[slot].node)
        progress[slot].sent(through: previous.index + entries.count, bytes: bytes)
    }

    private mutating func fetchOlder(slot: Int) {
        let next = progress[slot].next
        if next < log.firstOnDisk {
            progress[slot].becomeSnapshot()
            outbox.snapshotsToSend.append(progress[slot].node)
        } else {
            progress[slot].isWaitingForDisk = true
            outbox.entriesWanted.append(
                RaftReady.EntriesWanted(
                    node: progress[slot].node, from: next,
                    bytesMax: configuration.appendBytesMax))
        }
    }

    /// Answer to `entriesWanted`: the entries from `from` as far as `bytesMax` goes (one may
    /// exceed it), and the term of the one before. No entries: they are gone or unreadable.
    package mutating func supply(
        _ wanted: RaftReady.EntriesWanted, previousTerm: Term, entries: [RaftEntry],
        now: MonotonicTime
    ) {
        guard let slot = slot(of: wanted.node), progress[slot].isWaitingForDisk else { return }
        progress[slot].isWaitingForDisk = false
        isAppendWanted = true
        guard progress[slot].next == wanted.from, progress[slot].canSend(configuration) else {
            return
        }
        guard entries.first?.index == wanted.from else {
            progress[slot].becomeSnapshot()
            outbox.snapshotsToSend.append(wanted.node)
            return
        }
        // What is applied can't have changed since it was read.
        let usable = entries.prefix { $0.index <= applied }
        sendEntries(
            Array(usable), bytes: usable.reduce(0) { $0 + $1.byteCount },
            after: LogPosition(index: wanted.from.previous, term: previousTerm), slot: slot,
            now: now.milliseconds)
    }

    /// The stream begun for `snapshotsToSend` has ended. `isDelivered`: the receiver has all bytes.
    package mutating func snapshotSent(
        to node: NodeID, mark: SnapshotMark, isDelivered: Bool, now: MonotonicTime
    ) {
        guard let slot = slot(of: node), progress[slot].state == .snapshot else { return }
        let next = isDelivered ? mark.position.index.next : progress[slot].match.next
        progress[slot].becomeProbe(next: min(next, log.last.index.next))
        // The next heartbeat's reply starts the probing: time to install, or a pause.
        progress[slot].isProbeOut = true
    }

    // MARK: Answers

    func slot(of node: NodeID) -> Int? { progress.firstIndex { $0.node == node } }

    mutating func receive(_ reply: RaftMessage.AppendReply, from node: NodeID, now: UInt64) {
        guard role == .leader, let slot = slot(of: node) else { return }
        // Nobody has more of this term than its leader wrote.
        if case .matched(let index) = reply.outcome, index > log.last.index { return }
        progress[slot].acknowledge(reply.stamp)
        switch reply.outcome {
        case .matched(let index):
            let wasBlocked = !progress[slot].canSend(configuration)
            let isNews = progress[slot].matched(index)
            switch progress[slot].state {
            case .probe: progress[slot].becomeReplicate()
            case .snapshot where index.next >= log.firstOnDisk: progress[slot].becomeReplicate()
            case .snapshot, .replicate: break
            }
            if progress[slot].next <= log.last.index || wasBlocked { isAppendWanted = true }
            if isNews {
                advanceCommit(now: now)
                continueTransfer(slot: slot)
            }
        case .rejected(let previous, let hint):
            backUp(slot: slot, rejected: previous, hint: hint)
        }
        concludeReads()
    }

    /// 3.5, end: skips what can't match, a term at a time on both sides.
    private mutating func backUp(slot: Int, rejected: LogIndex, hint: LogPosition) {
        let peer = progress[slot]
        switch peer.state {
        case .snapshot: return
        case .probe where peer.next != rejected.next: return  // An old answer.
        // An old answer, or a disk that lied: no faster than heartbeats.
        case .probe where rejected <= peer.match: return
        case .replicate where rejected <= peer.match: return
        case .probe, .replicate: break
        }
        let agreed = log.newestPosition(notAfter: hint.index, termMax: hint.term)
        // Nil: before what this log knows, so that the follower's word is all there is.
        let next = (agreed?.index ?? hint.index).next
        progress[slot].becomeProbe(next: max(min(rejected, next), LogIndex.zero.next))
        isAppendWanted = true
    }

    mutating func receive(_ reply: RaftMessage.HeartbeatReply, from node: NodeID, now: UInt64) {
        guard role == .leader, let slot = slot(of: node) else { return }
        progress[slot].acknowledge(reply.stamp)
        if progress[slot].heartbeatAnswered(last: log.last.index) {
            if progress[slot].state == .probe {
                isAppendWanted = true
            } else if !progress[slot].isWaitingForDisk {
                sendAppend(slot: slot, isEmpty: true, now: now)
            }
        }
        concludeReads()
    }

    mutating func recordOwnProgress() {
        guard let slot = slot(of: id) else { return }
        _ = progress[slot].matched(durable)
    }

    // MARK: Commit

    /// 3.6.2: an entry is committed when a majority has it and it is of the leader's term; then
    /// all before it are.
    mutating func advanceCommit(now: UInt64) {
        let matches = progress.lazy.filter { $0.isVoter || Mutation.isOn(.countLearners) }
            .map(\.match)
        let reached =
            (Mutation.isOn(.commitByOne) ? matches.max() : Quorum.reached(matches)) ?? .zero
        guard reached > commit, reached >= termStart else { return }
        commit = reached
        concludeReads()
        guard memberships.currentIndex <= commit else { return }
        if !membership.isVoter(id) { leaveAsRemoved(now: now) }
    }
}
