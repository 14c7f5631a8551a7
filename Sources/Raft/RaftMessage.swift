import Core

/// What members say to each other. May be lost, doubled, delayed and reordered; never altered.
package struct RaftMessage: Hashable, Sendable {
    package var from: NodeID
    package var to: NodeID
    /// The sender's term; of a pre-vote and its granting reply, the term asked for.
    package var term: Term
    package var kind: Kind

    package init(from: NodeID, to: NodeID, term: Term, kind: Kind) {
        self.from = from
        self.to = to
        self.term = term
        self.kind = kind
    }

    package enum Kind: Hashable, Sendable {
        case vote(VoteRequest)
        case voteReply(VoteReply)
        case append(AppendRequest)
        case appendReply(AppendReply)
        case heartbeat(Heartbeat)
        case heartbeatReply(HeartbeatReply)
        /// Not sent by the core: the sending shell puts it in front of the snapshot's bytes (from
        /// ``RaftReady/snapshotsToSend``); the receiving shell steps it once it has all bytes.
        case snapshot(SnapshotMark)
        /// Campaign now, without waiting (thesis 3.10).
        case timeoutNow
    }

    /// RequestVote (thesis 3.4), or its rehearsal (pre-vote, 9.6), which changes nobody's term.
    package struct VoteRequest: Hashable, Sendable {
        package var isPreVote: Bool
        /// The old leader asked for it (`timeoutNow`): vote even if a leader was heard lately.
        package var isForced: Bool
        package var last: LogPosition
        package init(isPreVote: Bool, isForced: Bool, last: LogPosition) {
            self.isPreVote = isPreVote
            self.isForced = isForced
            self.last = last
        }
    }

    package struct VoteReply: Hashable, Sendable {
        package var isPreVote: Bool
        package var isGranted: Bool
        package init(isPreVote: Bool, isGranted: Bool) {
            self.isPreVote = isPreVote
            self.isGranted = isGranted
        }
    }

    /// When a leader sent something and to confirm what; the receiver echoes it.
    package struct Stamp: Hashable, Sendable {
        package static let zero = Stamp(sentAt: 0, round: 0)
        /// Milliseconds of the leader's clock; means nothing to others.
        package var sentAt: UInt64
        /// ReadIndex: the last round of reads that was asked for when this was sent (thesis 6.4).
        package var round: UInt64
        package init(sentAt: UInt64, round: UInt64) {
            self.sentAt = sentAt
            self.round = round
        }
    }

    /// AppendEntries (thesis 3.5).
    package struct AppendRequest: Hashable, Sendable {
        /// The entry before the first of `entries`.
        package var previous: LogPosition
        /// Contiguous, from `previous.index.next`; may be empty.
        package var entries: [RaftEntry]
        package var commit: LogIndex
        package var stamp: Stamp
        package init(
            previous: LogPosition, entries: [RaftEntry], commit: LogIndex, stamp: Stamp
        ) {
            self.previous = previous
            self.entries = entries
            self.commit = commit
            self.stamp = stamp
        }
    }

    package struct AppendReply: Hashable, Sendable {
        package enum Outcome: Hashable, Sendable {
            /// The follower's durable log equals the leader's up to here.
            case matched(LogIndex)
            /// `previous` did not match; `hint` is where it might (thesis 3.5, end).
            case rejected(previous: LogIndex, hint: LogPosition)
        }
        package var outcome: Outcome
        package var stamp: Stamp
        package init(outcome: Outcome, stamp: Stamp) {
            self.outcome = outcome
            self.stamp = stamp
        }
    }

    package struct Heartbeat: Hashable, Sendable {
        /// Never beyond what the leader knows the receiver to have.
        package var commit: LogIndex
        package var stamp: Stamp
        package init(commit: LogIndex, stamp: Stamp) {
            self.commit = commit
            self.stamp = stamp
        }
    }

    package struct HeartbeatReply: Hashable, Sendable {
        package var stamp: Stamp
        package init(stamp: Stamp) { self.stamp = stamp }
    }
}
