import Core
import Raft

/// When to think of balance again.
struct BalanceState: Hashable {
    var ledSince: MonotonicTime?
    var pauseMilliseconds: UInt64
}

/// Who leads: handing over on a stop, and spreading the ranges over the coordinators.
extension GroupRunner {
    /// Voters that could lead at once: heard of, and close to the leader's log.
    private func successors(now: MonotonicTime) -> [RaftStatus.Peer] {
        guard node.isLeader else { return [] }
        return node.status.peers.filter { $0.isVoter && isCaughtUp($0, now: now) }
    }

    private func isCaughtUp(_ peer: RaftStatus.Peer, now: MonotonicTime) -> Bool {
        isFollowing(peer, now: now)
            && peer.match + RaftHostLimits.caughtUpEntries >= node.lastPosition.index
    }

    /// Answers, and needs entries only.
    func isFollowing(_ peer: RaftStatus.Peer, now: MonotonicTime) -> Bool {
        guard !peer.isReceivingSnapshot, let ackedAt = peer.ackedAt else { return false }
        return now.milliseconds < ackedAt + node.configuration.electionTimeoutMilliseconds
    }

    /// Begins to hand the group over to whoever is furthest.
    ///
    /// - Returns: `false` if there is nobody, or nothing to hand over.
    func beginHandOver(now: MonotonicTime) -> Bool {
        isHandingOver = true
        isDirty = true
        let best = successors(now: now).max { ($0.match, $1.node) < ($1.match, $0.node) }
        guard let best else { return false }
        return transfer(to: best.node, now: now)
    }

    func transfer(to peer: NodeID, now: MonotonicTime) -> Bool {
        isDirty = true
        do {
            try node.transferLeadership(to: peer, now: now)
            return true
        } catch {
            return false
        }
    }

    /// The ranges' leaders are spread over the voters by their order; the system range, which has
    /// no more to do than others, stays where it is.
    func balanceIfDue(now: MonotonicTime) -> NodeID? {
        guard range != .system, !isHandingOver, node.isLeader, let since = balance.ledSince else {
            return nil
        }
        guard now.milliseconds >= since.milliseconds + balance.pauseMilliseconds else { return nil }
        // Once a try failed (or there is nothing to do) the next one comes later.
        balance.ledSince = now
        balance.pauseMilliseconds = min(balance.pauseMilliseconds * 2, 600_000)
        let voters = node.membership.voters
        guard !voters.isEmpty else { return nil }
        let preferred = voters[Int(range.rawValue) % voters.count]
        guard preferred != node.id, successors(now: now).contains(where: { $0.node == preferred })
        else {
            return nil
        }
        return transfer(to: preferred, now: now) ? preferred : nil
    }

    func consensusState(now: MonotonicTime) -> ConsensusState {
        let status = node.status
        var learners: [NodeID: Bool] = [:]
        for learner in status.membership.learners { learners[learner] = false }
        for peer in status.peers where !peer.isVoter {
            learners[peer.node] = isCaughtUp(peer, now: now)
        }
        return ConsensusState(
            leader: status.leader, isLeader: handle.state.isServing, term: status.term.rawValue,
            commitIndex: status.commit.rawValue, appliedIndex: applied.index.rawValue,
            logFirstIndex: logFirst.rawValue, voters: status.membership.voters,
            learners: learners)
    }
}
