import Core
import DequeModule

/// One member of one Raft group. The numbers in comments are sections of Ongaro's thesis,
/// "Consensus: Bridging Theory and Practice" (2014).
package struct RaftNode: Hashable, Sendable {
    package let configuration: RaftConfiguration

    // What is durable or on its way to the disk.
    var hardState: HardState
    /// As last given to the shell, and as last known to be durable.
    var hardStateWritten: HardState
    var hardStateDurable: HardState
    var log: LogTail
    var memberships: MembershipHistory
    /// The last entry given to the shell to write. At least `durable`.
    var written: LogIndex
    var durable: LogIndex
    var pendingWrites: Deque<PendingWrite> = []
    var nextWrite: UInt64 = 1

    // What is committed. `applied` <= `handedOut` <= `commit`, and `handedOut` <= `durable`.
    var commit: LogIndex
    var handedOut: LogIndex
    var applied: LogIndex
    /// Bytes of the entries after `applied`.
    var unappliedBytes = 0
    /// Bytes of the entries handed out and not applied.
    var handedOutBytes = 0
    var installing: SnapshotMark?
    var isInstallHandedOut = false

    // Every role.
    package internal(set) var role = RaftRole.follower
    package internal(set) var leader: NodeID?
    var randomState: UInt64
    var electionDeadline: UInt64 = 0
    /// When a leader was last heard. Outlives terms: it is what leases of leaders rest on.
    var leaderHeardAt: UInt64?
    var votes = VoteTally()

    /// Not nil: the log ends before this entry, which this node has acknowledged. It is an older
    /// copy, or lost what was synced; votes may be forgotten too. The shell stops for good.
    package internal(set) var forgotten: LogIndex?

    // A leader.
    /// Every member of the group and this node, in no particular order.
    var progress: [Progress] = []
    /// The leader's first entry.
    var termStart = LogIndex.zero
    var heartbeatDue: UInt64 = 0
    /// Somebody may be sent entries.
    var isAppendWanted = false
    /// Everybody should hear of the commit index now.
    var isHeartbeatWanted = false
    /// Reads wait for a round of heartbeats that has not left.
    var isRoundWanted = false
    var round: UInt64 = 0
    var pendingReads: Deque<PendingRead> = []
    var transfer: Transfer?
    /// Somebody may win an election without waiting for the lease to end: no more leases in
    /// this term.
    package internal(set) var isLeaseForfeited = false

    var outbox = Outbox()

    package init(
        configuration: RaftConfiguration, recovery: RaftRecovery, seed: UInt64, now: MonotonicTime
    ) {
        configuration.check()
        self.configuration = configuration
        hardState = recovery.hardState
        hardStateWritten = recovery.hardState
        hardStateDurable = recovery.hardState
        log = LogTail(start: recovery.start, firstOnDisk: recovery.firstIndex)
        memberships = MembershipHistory(base: recovery.membership, at: recovery.start.index)
        commit = recovery.applied
        handedOut = recovery.applied
        applied = recovery.applied
        randomState = seed
        written = .zero
        durable = .zero
        precondition(recovery.start.index <= applied, "unknown entries would have to be applied")
        for entry in recovery.entries {
            log.append(entry)
            if entry.index > applied { unappliedBytes += entry.byteCount }
            if case .membership(let membership) = entry.payload {
                memberships.append(membership, at: entry.index)
            }
        }
        written = log.last.index
        durable = log.last.index
        precondition(applied <= durable, "the state machine is not ahead of the log")
        precondition(hardState.term >= log.last.term, "a term is stored before its entries")
        // This node may have answered a leader just before it stopped; the lease holds (6.4.1).
        if hardState.term > .zero { leaderHeardAt = now.milliseconds }
        outbox.softStateSent = softState
        log.evict(through: applied, bytesMax: configuration.tailBytesMax)
        resetElectionDeadline(now: now.milliseconds)
        if memberships.current.voters == [id] { electionDeadline = now.milliseconds }
    }

    /// A write given to the shell. `last` shrinks when what it wrote is cut off in the meantime.
    struct PendingWrite: Hashable, Sendable {
        var number: UInt64
        var last: LogIndex
        var hardState: HardState
    }

    struct PendingRead: Hashable, Sendable {
        var token: UInt64
        var index: LogIndex
        var round: UInt64
    }

    struct Transfer: Hashable, Sendable {
        var to: NodeID
        var deadline: UInt64
        var isSent = false
    }

    /// What the next ready will carry.
    struct Outbox: Hashable, Sendable {
        var messagesNow: [RaftMessage] = []
        var messagesAfterPersist: [RaftMessage] = []
        var readStates: [RaftReady.ReadState] = []
        var snapshotsToSend: [NodeID] = []
        var entriesWanted: [RaftReady.EntriesWanted] = []
        var softStateSent: RaftReady.SoftState?

        var isEmpty: Bool {
            messagesNow.isEmpty && messagesAfterPersist.isEmpty && readStates.isEmpty
                && snapshotsToSend.isEmpty && entriesWanted.isEmpty
        }
    }
}

// MARK: - What is known

extension RaftNode {
    package var id: NodeID { configuration.id }
    package var term: Term { hardState.term }
    package var isLeader: Bool { role == .leader }
    package var commitIndex: LogIndex { commit }
    package var appliedIndex: LogIndex { applied }
    package var lastPosition: LogPosition { log.last }
    /// In effect, committed or not.
    package var membership: Membership { memberships.current }
    /// Whether the leader's own first entry is committed: its state is complete then.
    package var isLeaderEstablished: Bool { isLeader && commit >= termStart }

    /// A snapshot was taken in and is not in place yet.
    package var isInstalling: Bool { installing != nil }

    /// Nil beyond the log's end and before what was compacted.
    package func term(at index: LogIndex) -> Term? { log.term(at: index) }

    /// What a snapshot of the state machine at `index` stands for; nil if the log does not know
    /// `index`. Store it with the compaction.
    package func mark(at index: LogIndex) -> SnapshotMark? {
        guard index <= applied, let term = log.term(at: index),
            let membership = memberships.membership(at: index)
        else { return nil }
        return SnapshotMark(
            position: LogPosition(index: index, term: term), membership: membership)
    }

    package var status: RaftStatus {
        var status = RaftStatus()
        status.role = role
        status.term = term
        status.leader = leader
        status.last = log.last
        status.commit = commit
        status.applied = applied
        status.membership = membership
        for peer in progress where peer.node != id {
            status.peers.append(
                RaftStatus.Peer(
                    node: peer.node, isVoter: peer.isVoter, match: peer.match,
                    isReceivingSnapshot: peer.state == .snapshot, ackedAt: peer.ackedAt))
        }
        return status
    }

    var softState: RaftReady.SoftState {
        RaftReady.SoftState(role: role, leader: leader, term: term)
    }

    var leaderHint: NodeID? { leader == id ? nil : leader }
}

// MARK: - The shell's answers

extension RaftNode {
    /// All writes up to this one are durable.
    package mutating func persisted(write number: UInt64, now: MonotonicTime) {
        precondition(number < nextWrite, "only what was handed out can be durable")
        while let write = pendingWrites.first, write.number <= number {
            durable = max(durable, write.last)
            hardStateDurable = write.hardState
            pendingWrites.removeFirst()
        }
        if role == .candidate, hardStateDurable == hardState, membership.isVoter(id) {
            votes.record(id, isGranted: true)
            concludeElection(now: now.milliseconds)
        }
        if role == .leader {
            recordOwnProgress()
            advanceCommit(now: now.milliseconds)
        }
    }

    /// The state machine has applied all entries up to `index`.
    package mutating func applied(_ index: LogIndex) {
        precondition(index <= handedOut, "only what was handed out can be applied")
        while applied < index {
            let next = applied.next
            let bytes = log.entry(at: next).byteCount
            unappliedBytes -= bytes
            handedOutBytes -= bytes
            applied = next
        }
        log.evict(through: applied, bytesMax: configuration.tailBytesMax)
    }

    /// The log on disk is about to lose `index` and all before it; what it loses is applied, and
    /// a state machine that has it is durable.
    package mutating func compacted(to index: LogIndex) {
        precondition(index <= applied, "what wasn't applied is still needed")
        log.compact(to: index)
        memberships.compact(to: index)
    }
}
