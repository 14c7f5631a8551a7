import Core

/// Who has answered a candidate. Each node counts once.
struct VoteTally: Hashable, Sendable {
    private var granted: [NodeID] = []
    private var refused: [NodeID] = []

    mutating func record(_ node: NodeID, isGranted: Bool) {
        if granted.contains(node) || refused.contains(node) { return }
        if isGranted { granted.append(node) } else { refused.append(node) }
    }

    func outcome(in membership: Membership) -> Quorum.Outcome {
        var grantedCount = 0
        for node in granted where membership.isVoter(node) { grantedCount += 1 }
        var refusedCount = 0
        for node in refused where membership.isVoter(node) { refusedCount += 1 }
        return Quorum.outcome(
            granted: grantedCount, refused: refusedCount, voters: membership.voters.count)
    }
}

extension RaftNode {
    /// 3.4: from one to two election timeouts, so that split votes are rare.
    mutating func resetElectionDeadline(now: UInt64) {
        var random = SeededRandom(seed: randomState)
        randomState = random.next()
        let timeout = configuration.electionTimeoutMilliseconds
        electionDeadline = now + .random(in: timeout..<timeout * 2, using: &random)
    }

    /// A voter; also one that the last entry of its log removes while that isn't committed: it may
    /// be the only one that has the entry (4.2.2).
    var canCampaign: Bool {
        if installing != nil { return false }
        if membership.isVoter(id) { return true }
        guard memberships.currentIndex > commit, let previous = memberships.previous else {
            return false
        }
        return previous.isVoter(id) && !membership.isLearner(id)
    }

    /// Whether a leader was heard so lately that its lease may not have ended.
    func hearsLeader(now: UInt64) -> Bool {
        if role == .leader { return now < quorumAckedAt(now: now) + timeoutMilliseconds }
        guard let leaderHeardAt else { return false }
        return now < leaderHeardAt + timeoutMilliseconds
    }

    var timeoutMilliseconds: UInt64 { configuration.electionTimeoutMilliseconds }

    /// Pre-vote (9.6): asks whether an election could be won, before any term grows.
    mutating func campaignRehearsal(now: UInt64) {
        role = .preCandidate
        leader = nil
        startTally(now: now)
        votes.record(id, isGranted: true)
        requestVotes(term: term.next, isPreVote: true, isForced: false)
        concludeElection(now: now)
    }

    mutating func campaign(isForced: Bool, now: UInt64) {
        role = .candidate
        leader = nil
        hardState = HardState(term: term.next, votedFor: id)
        startTally(now: now)
        // The own vote counts when it is durable: see `persisted`.
        requestVotes(term: term, isPreVote: false, isForced: isForced)
    }

    private mutating func startTally(now: UInt64) {
        votes = VoteTally()
        resetElectionDeadline(now: now)
    }

    private mutating func requestVotes(term: Term, isPreVote: Bool, isForced: Bool) {
        let request = RaftMessage.VoteRequest(
            isPreVote: isPreVote, isForced: isForced, last: log.last)
        for voter in membership.voters where voter != id {
            send(.vote(request), to: voter, term: term, isPromise: !isPreVote)
        }
    }

    mutating func concludeElection(now: UInt64) {
        switch (votes.outcome(in: membership), role) {
        case (.won, .preCandidate): campaign(isForced: false, now: now)
        case (.won, .candidate): becomeLeader(now: now)
        case (.lost, .preCandidate), (.lost, .candidate): role = .follower
        case (.open, _), (_, .follower), (_, .leader): break
        }
    }

    mutating func receive(
        _ request: RaftMessage.VoteRequest, from message: RaftMessage, now: UInt64
    ) {
        let isGranted = grants(request, from: message, now: now)
        let reply = RaftMessage.VoteReply(isPreVote: request.isPreVote, isGranted: isGranted)
        if request.isPreVote {
            send(.voteReply(reply), to: message.from, term: isGranted ? message.term : term)
            return
        }
        if isGranted {
            hardState.votedFor = message.from
            resetElectionDeadline(now: now)
        }
        send(.voteReply(reply), to: message.from, isPromise: true)
    }

    private func grants(
        _ request: RaftMessage.VoteRequest, from message: RaftMessage, now: UInt64
    ) -> Bool {
        // 3.6.1: whoever lacks a committed entry does not win.
        guard request.last >= log.last || Mutation.isOn(.voteForShorterLog) else { return false }
        if !request.isForced, hearsLeader(now: now) { return false }
        if request.isPreVote, message.term > term { return true }
        // 3.4: one vote a term, first come, first served.
        if let votedFor = hardState.votedFor, !Mutation.isOn(.voteTwice) {
            return votedFor == message.from
        }
        return leader == nil
    }

    mutating func receive(_ reply: RaftMessage.VoteReply, from message: RaftMessage, now: UInt64) {
        if reply.isPreVote {
            let isCurrent = reply.isGranted ? message.term == term.next : message.term == term
            guard role == .preCandidate, isCurrent else { return }
        } else {
            guard role == .candidate else { return }
        }
        votes.record(message.from, isGranted: reply.isGranted)
        concludeElection(now: now)
    }

    /// 3.10: the leader hands over; no pre-vote, no waiting.
    mutating func receiveTimeoutNow(from node: NodeID, now: UInt64) {
        guard role != .leader, canCampaign, node == leader else { return }
        campaign(isForced: true, now: now)
    }

    mutating func becomeFollower(term newTerm: Term, leader newLeader: NodeID?, now: UInt64) {
        if newTerm > term { hardState = HardState(term: newTerm, votedFor: nil) }
        if role == .leader {
            abandonLeadership()
            resetElectionDeadline(now: now)
        }
        role = .follower
        leader = newLeader
    }
}
