import Core

/// What the shell must do now, in the order of the fields. See the module's page.
package struct RaftReady: Hashable, Sendable {
    /// Not nil: after the writes of this ready (`hardState`, `entries`) and of all before it are
    /// durable, send `messagesAfterPersist` and call `persisted(write:)` with this number. Several
    /// writes may be on their way at once, if they reach the disk in this order.
    package var write: UInt64?
    /// Replaces the stored one.
    package var hardState: HardState?
    /// Contiguous. The log is first cut before `entries[0].index`, then they are appended.
    package var entries: [RaftEntry] = []
    /// May leave at once, even before this ready's writes (thesis 10.2.1).
    package var messagesNow: [RaftMessage] = []
    package var messagesAfterPersist: [RaftMessage] = []
    /// To apply, in order; each was durable here before. Call `applied(_:)` when they are. The
    /// next batch comes when the bytes that are handed out and not applied allow it.
    package var committed: [RaftEntry] = []
    package var readStates: [ReadState] = []
    /// All bytes of this snapshot are here: replace the state machine and the log by it, durably,
    /// then call `snapshotInstalled()`. No `committed` comes before that.
    package var snapshotToInstall: SnapshotMark?
    /// Stream a snapshot to each, the newest there is, with `.snapshot` in front; then call
    /// `snapshotSent(to:mark:isDelivered:)`.
    package var snapshotsToSend: [NodeID] = []
    /// Read from the log on disk, answer with `supply`.
    package var entriesWanted: [EntriesWanted] = []
    /// Changed since the last ready.
    package var softState: SoftState?

    package init() {}

    package struct ReadState: Hashable, Sendable {
        package var token: UInt64
        /// Answer from a state that has applied at least this index; nil: leadership was lost,
        /// ask again elsewhere.
        package var index: LogIndex?
        package init(token: UInt64, index: LogIndex?) {
            self.token = token
            self.index = index
        }
    }

    package struct EntriesWanted: Hashable, Sendable {
        package var node: NodeID
        /// The first entry wanted. The answer also needs the term of the entry before it.
        package var from: LogIndex
        package var bytesMax: Int
        package init(node: NodeID, from: LogIndex, bytesMax: Int) {
            self.node = node
            self.from = from
            self.bytesMax = bytesMax
        }
    }

    package struct SoftState: Hashable, Sendable {
        package var role: RaftRole
        package var leader: NodeID?
        package var term: Term
        package init(role: RaftRole, leader: NodeID?, term: Term) {
            self.role = role
            self.leader = leader
            self.term = term
        }
    }
}

package enum RaftRole: Hashable, Sendable {
    case follower, preCandidate, candidate, leader
}
