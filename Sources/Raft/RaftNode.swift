import Core

/// One member of one Raft group.
package struct RaftNode: Hashable, Sendable {
    package let configuration: RaftConfiguration

    package init(
        configuration: RaftConfiguration, recovery: RaftRecovery, seed: UInt64, now: MonotonicTime
    ) {
        self.configuration = configuration
    }

    package var id: NodeID { configuration.id }
    package var role: RaftRole { .follower }
    package var term: Term { .zero }
    package var leader: NodeID? { nil }
    package var isLeader: Bool { role == .leader }
    package var commit: LogIndex { .zero }
    package var lastPosition: LogPosition { .zero }
    package var membership: Membership { .none }
    package var status: RaftStatus { RaftStatus() }
    /// What a snapshot of the state machine at `index` (applied, in the log) stands for; nil if
    /// the log does not know `index`. Store it with the compaction.
    package func mark(at index: LogIndex) -> SnapshotMark? { nil }

    /// Call about every half heartbeat, and before `step` after a long pause.
    package mutating func tick(now: MonotonicTime) {}
    package mutating func step(_ message: RaftMessage, now: MonotonicTime) {}
    /// All of `commands` or none. Leaders append them in one go.
    package mutating func propose(
        _ commands: [[UInt8]], now: MonotonicTime
    ) throws(RaftError) -> RaftProposal { throw .notLeader(leader: nil) }
    package mutating func proposeMembership(
        _ change: MembershipChange, now: MonotonicTime
    ) throws(RaftError) -> LogPosition { throw .notLeader(leader: nil) }
    /// Answered in `RaftReady.readStates` under `token`, once, unless this throws.
    package mutating func readIndex(token: UInt64, now: MonotonicTime) throws(RaftError) {}
    /// A read that begins now may be answered from a state that has applied this index. Nil: use
    /// `readIndex`. `now` must be read for this call, not before.
    package func leaseReadIndex(now: MonotonicTime) -> LogIndex? { nil }
    package mutating func transferLeadership(
        to node: NodeID, now: MonotonicTime
    ) throws(RaftError) {}

    /// Whether `ready()` has anything to say.
    package var hasReady: Bool { false }
    package mutating func ready(now: MonotonicTime) -> RaftReady { RaftReady() }

    // Answers of the shell.
    /// All writes up to this one are durable.
    package mutating func persisted(write: UInt64, now: MonotonicTime) {}
    package mutating func applied(_ index: LogIndex) {}
    /// The log on disk begins after `index` now; call it before the entries are dropped.
    package mutating func compacted(to index: LogIndex) {}
    /// `snapshotToInstall` is in place, durably: state machine, log and mark.
    package mutating func snapshotInstalled(now: MonotonicTime) {}
    package mutating func snapshotSent(
        to node: NodeID, mark: SnapshotMark, isDelivered: Bool, now: MonotonicTime
    ) {}
    /// Answer to `entriesWanted`: the entries from `from` as far as `bytesMax` goes (one may
    /// exceed it), and the term of the one before. No entries: they are gone or unreadable.
    package mutating func supply(
        _ wanted: RaftReady.EntriesWanted, previousTerm: Term, entries: [RaftEntry],
        now: MonotonicTime
    ) {}
}
