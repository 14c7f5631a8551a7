import Core

extension RaftNode {
    /// Takes a message in. `now` must be read after the message arrived: a leader's lease rests
    /// on when its followers say they heard it.
    package mutating func step(_ message: RaftMessage, now: MonotonicTime) {
        guard message.to == id, message.from != id else { return }
        let now = now.milliseconds
        if message.term > term {
            guard takeNewerTerm(of: message, now: now) else { return }
        } else if message.term < term {
            answerOlderTerm(of: message)
            return
        }
        switch message.kind {
        case .vote(let request): receive(request, from: message, now: now)
        case .voteReply(let reply): receive(reply, from: message, now: now)
        case .append(let request):
            guard followLeader(message.from, now: now) else { return }
            receive(request, from: message.from)
        case .heartbeat(let heartbeat):
            guard followLeader(message.from, now: now) else { return }
            receive(heartbeat, from: message.from)
        case .snapshot(let mark):
            guard followLeader(message.from, now: now) else { return }
            receive(mark, from: message.from)
        case .appendReply(let reply): receive(reply, from: message.from, now: now)
        case .heartbeatReply(let reply): receive(reply, from: message.from, now: now)
        case .timeoutNow: receiveTimeoutNow(from: message.from, now: now)
        }
    }

    /// - Returns: whether the message is still to be looked at.
    private mutating func takeNewerTerm(of message: RaftMessage, now: UInt64) -> Bool {
        switch message.kind {
        case .vote(let request):
            // Who hears a leader does not help to depose it (4.2.3, 6.4.1).
            if !request.isForced, hearsLeader(now: now) { return false }
            if !request.isPreVote { becomeFollower(term: message.term, leader: nil, now: now) }
        case .voteReply(let reply) where reply.isPreVote && reply.isGranted:
            break  // The term that was asked for; nobody is in it yet.
        case .append, .heartbeat, .snapshot:
            becomeFollower(term: message.term, leader: message.from, now: now)
        case .voteReply, .appendReply, .heartbeatReply, .timeoutNow:
            becomeFollower(term: message.term, leader: nil, now: now)
        }
        return true
    }

    /// Tells the sender which term it is, so that it does not go on for ever (3.3).
    private mutating func answerOlderTerm(of message: RaftMessage) {
        switch message.kind {
        case .append, .heartbeat, .snapshot:
            send(.heartbeatReply(.init(stamp: .zero)), to: message.from)
        case .vote(let request):
            send(
                .voteReply(.init(isPreVote: request.isPreVote, isGranted: false)),
                to: message.from)
        case .voteReply, .appendReply, .heartbeatReply, .timeoutNow: break
        }
    }

    /// Call about every half heartbeat.
    package mutating func tick(now: MonotonicTime) {
        let now = now.milliseconds
        if role == .leader {
            tickLeader(now: now)
        } else if now >= electionDeadline {
            if canCampaign {
                campaignRehearsal(now: now)
            } else {
                resetElectionDeadline(now: now)
            }
        }
    }
}
