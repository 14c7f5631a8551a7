import Core
import NIOCore
import Raft
import RaftLog

/// One Raft group on the loop: the core, and what waits for it.
final class GroupRunner {
    let range: RangeID
    let handle: GroupHandle
    let policy: RaftHost.Configuration.Checkpoints
    var node: RaftNode

    // Since the last turn.
    var proposals: [HostRequest] = []
    var queries: [HostRequest] = []
    var isDirty = true

    /// Proposals that are in the log and not applied, by index; all of the current term.
    var pending: [LogIndex: Pending] = [:]
    /// Questions that wait for a round of heartbeats, by token.
    var confirming: [UInt64: [HostRequest]] = [:]
    /// Questions that wait for an index to be applied; ascending.
    var waiting: [(index: LogIndex, request: HostRequest)] = []
    private var nextToken: UInt64 = 1

    var applied: LogPosition
    /// The first entry that is in the log on disk.
    var logFirst: LogIndex
    var checkpoint: CheckpointState
    /// Snapshots whose bytes are here and that the core was told of in this turn.
    var received: [ReceivedSnapshot] = []
    var installing: ReceivedSnapshot?
    /// Set on a graceful stop: nothing new is taken.
    var isHandingOver = false
    var balance: BalanceState
    var proposeLatency = LatencyCounts()

    struct Pending {
        var term: Term
        var deadline: NIODeadline
        var begun: NIODeadline
        var done: ConsensusCompletion
    }

    init(
        handle: GroupHandle, node: RaftNode, applied: LogPosition, logFirst: LogIndex,
        policy: RaftHost.Configuration.Checkpoints, balanceMilliseconds: UInt64,
        now: MonotonicTime
    ) {
        self.balance = BalanceState(pauseMilliseconds: balanceMilliseconds)
        self.range = handle.range
        self.handle = handle
        self.node = node
        self.applied = applied
        self.logFirst = logFirst
        self.policy = policy
        self.checkpoint = CheckpointState(lastAt: now, durable: applied.index)
    }

    // MARK: A turn

    /// Takes in what came since the last turn and says what is to be done.
    func turn(now: MonotonicTime, _ effects: inout HostEffects) {
        isDirty = false
        takeProposals(now: now, &effects)
        takeQueries(now: now, &effects)
        var rounds = 0
        while node.hasReady, rounds < RaftHostLimits.readyRoundsMax {
            perform(node.ready(now: now), &effects)
            rounds += 1
        }
        for snapshot in received { effects.uselessFiles.append(snapshot.path) }
        received = []
        failLostProposals(&effects)
        releaseReads(&effects)
        publish(now: now, &effects)
    }

    private func perform(_ ready: RaftReady, _ effects: inout HostEffects) {
        if let write = ready.write {
            effects.log.append(
                .write(
                    GroupWrite(
                        range: range, hardState: ready.hardState, entries: ready.entries),
                    LogLane.Acknowledgement(
                        range: range, write: write, messages: ready.messagesAfterPersist)))
        }
        for message in ready.messagesNow { effects.send(message, of: range) }
        if !ready.committed.isEmpty { apply(ready.committed) }
        for state in ready.readStates { confirmed(state, &effects) }
        if let mark = ready.snapshotToInstall { install(mark) }
        for node in ready.snapshotsToSend {
            effects.snapshots.append(SnapshotJob(range: range, node: node, term: self.node.term))
        }
        for wanted in ready.entriesWanted { effects.log.append(.read(range, wanted)) }
    }

    private func apply(_ entries: [RaftEntry]) {
        let items = entries.map { entry in
            let pending = pending.removeValue(forKey: entry.index)
            let isOurs = pending?.term == entry.term || Mutation.isOn(.ackByIndex)
            if let pending, !isOurs { pending.done(.notLeader(node.leader)) }
            guard let pending, isOurs else { return ApplyLane.Item(entry: entry, done: nil) }
            let micros = (NIODeadline.now() - pending.begun).nanoseconds / 1_000
            proposeLatency.add(microseconds: UInt64(max(micros, 0)))
            return ApplyLane.Item(entry: entry, done: pending.done)
        }
        checkpoint.bytes += entries.reduce(0) { $0 + $1.byteCount }
        handle.lane.submit(.apply(items))
    }

    private func publish(now: MonotonicTime, _ effects: inout HostEffects) {
        let isServing = node.isLeader && applied.term == node.term
        handle.fence.open(until: isServing && !isHandingOver ? node.leaseEnd(now: now) : nil)
        let state = GroupHandle.Published(
            isServing: isServing, term: node.term.rawValue, leader: node.leader)
        let before = handle.state
        guard state != before else { return }
        handle.state = state
        if state.isServing != before.isServing || (isServing && state.term != before.term) {
            balance.ledSince = isServing ? now : nil
            effects.leaderships.append((range, isServing, state.term))
        }
    }

    // MARK: Proposals

    private func takeProposals(now: MonotonicTime, _ effects: inout HostEffects) {
        guard !proposals.isEmpty else { return }
        var taken: [HostRequest] = []
        swap(&taken, &proposals)
        let room = RaftHostLimits.proposalsPendingMax - pending.count
        if taken.count > room {
            for request in taken[max(room, 0)...] { effects.answer(request, .overloaded) }
            taken.removeLast(taken.count - max(room, 0))
        }
        guard !taken.isEmpty else { return }
        guard node.isLeader, !isHandingOver else {
            for request in taken { effects.answer(request, .notLeader(hint)) }
            return
        }
        do {
            let proposal = try node.propose(taken.map(\.bytes), now: now)
            for (offset, request) in taken.enumerated() {
                pending[proposal.first + offset] = Pending(
                    term: proposal.term, deadline: request.deadline, begun: request.begun,
                    done: request.done)
            }
        } catch {
            for request in taken { effects.answer(request, outcome(of: error)) }
        }
    }

    /// Answered when the changed membership is applied.
    func change(_ change: MembershipChange, _ request: HostRequest, now: MonotonicTime) {
        do {
            let position = try node.proposeMembership(change, now: now)
            pending[position.index] = Pending(
                term: position.term, deadline: request.deadline, begun: request.begun,
                done: request.done)
            isDirty = true
        } catch {
            request.done(outcome(of: error))
        }
    }

    /// Whom to ask instead: never this node, which just said no.
    private var hint: NodeID? { node.leader == node.id ? nil : node.leader }

    func outcome(of error: RaftError) -> ConsensusOutcome {
        switch error {
        case .notLeader(let leader): .notLeader(leader)
        case .transferring(let node): .notLeader(node)
        // Sizes are checked at the entrance.
        case .overloaded, .membershipBusy, .membershipPointless,
            .notAnotherVoter, .commandTooLarge:
            .overloaded
        }
    }

    /// Proposals of a term that this node does not lead any more may or may not be committed by
    /// the next leader: the caller asks there, with the same command id.
    private func failLostProposals(_ effects: inout HostEffects) {
        let isLeader = node.isLeader
        let term = node.term
        guard !pending.isEmpty, !isLeader || pending.contains(where: { $0.value.term != term }),
            !Mutation.isOn(.ackByIndex)
        else { return }
        for (index, proposal) in pending where !isLeader || proposal.term != term {
            pending[index] = nil
            effects.answers.append((proposal.done, .uncertain))
        }
    }

    /// Answers what waited longer than its caller does.
    func expire(now: NIODeadline, _ effects: inout HostEffects) {
        for (index, proposal) in pending where proposal.deadline <= now {
            pending[index] = nil
            effects.answers.append((proposal.done, .uncertain))
        }
        for (token, requests) in confirming where requests.contains(where: { $0.deadline <= now }) {
            for request in requests where request.deadline <= now {
                effects.answer(request, .uncertain)
            }
            confirming[token] = requests.filter { $0.deadline > now }
        }
        for read in waiting where read.request.deadline <= now {
            effects.answer(read.request, .uncertain)
        }
        waiting.removeAll { $0.request.deadline <= now }
    }

    /// The host ends: nobody is left without an answer.
    func failAll(_ effects: inout HostEffects) {
        for (_, proposal) in pending { effects.answers.append((proposal.done, .uncertain)) }
        pending = [:]
        // Of these nothing was done: whoever leads next may do it.
        for request in proposals + queries { effects.answer(request, .notLeader(hint)) }
        for request in confirming.values.joined() { effects.answer(request, .notLeader(hint)) }
        for read in waiting { effects.answer(read.request, .notLeader(hint)) }
        (proposals, queries, confirming, waiting) = ([], [], [:], [])
        handle.fence.open(until: nil)
        handle.state.isServing = false
    }

    // MARK: Reads

    private func takeQueries(now: MonotonicTime, _ effects: inout HostEffects) {
        guard !queries.isEmpty else { return }
        var taken: [HostRequest] = []
        swap(&taken, &queries)
        guard node.isLeader, !isHandingOver else {
            for request in taken { effects.answer(request, .notLeader(hint)) }
            return
        }
        let waitingCount = waiting.count + confirming.values.reduce(0) { $0 + $1.count }
        guard waitingCount + taken.count <= RaftHostLimits.readsPendingMax else {
            for request in taken { effects.answer(request, .overloaded) }
            return
        }
        if let index = node.leaseReadIndex(now: now) {
            for request in taken { waiting.append((index, request)) }
            return
        }
        let token = nextToken
        nextToken += 1
        do {
            try node.readIndex(token: token, now: now)
            confirming[token] = taken
        } catch {
            for request in taken { effects.answer(request, outcome(of: error)) }
        }
    }

    private func confirmed(_ state: RaftReady.ReadState, _ effects: inout HostEffects) {
        guard let requests = confirming.removeValue(forKey: state.token) else { return }
        for request in requests {
            if let index = state.index {
                waiting.append((index, request))
            } else {
                effects.answer(request, .notLeader(hint))
            }
        }
    }

    private func releaseReads(_ effects: inout HostEffects) {
        guard !waiting.isEmpty else { return }
        let index = applied.index
        var kept: [(index: LogIndex, request: HostRequest)] = []
        for read in waiting {
            if read.index <= index {
                effects.reads.append((read.request, handle))
            } else {
                kept.append(read)
            }
        }
        waiting = kept
    }
}
