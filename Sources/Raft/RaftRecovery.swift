import Core

/// What a member starts from: read from its disk, or the group's first membership.
package struct RaftRecovery: Hashable, Sendable {
    package var hardState: HardState
    /// The membership in effect at `start` (for a new group its first membership; for a node that
    /// will join one, ``Membership/none``).
    package var membership: Membership
    /// First entry that the log on disk still has; `lastIndex.next` if it has none.
    package var firstIndex: LogIndex
    /// The entry before the first of `entries`; its index is at most `applied`. Simplest: the mark
    /// that the log was last compacted to, with all entries after it. The core keeps the terms
    /// and, of what is applied, only as many bytes as the configuration says.
    package var start: LogPosition
    /// All entries of the log after `start`.
    package var entries: [RaftEntry]
    /// What the state machine has applied, durably. Between `start.index` and the last entry.
    package var applied: LogIndex

    /// A new group, or (with ``Membership/none``) a node that will join one.
    package init(first membership: Membership) {
        self.hardState = .empty
        self.membership = membership
        self.firstIndex = LogIndex.zero.next
        self.start = .zero
        self.entries = []
        self.applied = .zero
    }

    package init(
        hardState: HardState, membership: Membership, firstIndex: LogIndex,
        start: LogPosition, entries: [RaftEntry], applied: LogIndex
    ) {
        self.hardState = hardState
        self.membership = membership
        self.firstIndex = firstIndex
        self.start = start
        self.entries = entries
        self.applied = applied
    }
}
