import Core

/// A period with at most one leader (thesis 3.3). 0 is before the first election.
package struct Term: Hashable, Sendable, Comparable, CustomStringConvertible {
    package static let zero = Term(rawValue: 0)
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package var next: Term { Term(rawValue: rawValue + 1) }
    package var description: String { "\(rawValue)" }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// The place of an entry in the log. The first entry is 1; 0 is the empty log.
package struct LogIndex: Hashable, Sendable, Comparable, CustomStringConvertible {
    package static let zero = LogIndex(rawValue: 0)
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package var next: LogIndex { LogIndex(rawValue: rawValue + 1) }
    /// Programmer error for 0.
    package var previous: LogIndex { LogIndex(rawValue: rawValue - 1) }
    package var description: String { "\(rawValue)" }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
    package static func + (left: Self, right: Int) -> Self {
        Self(rawValue: left.rawValue + UInt64(right))
    }
    /// How many entries lie between. Programmer error if `right` is greater.
    package static func - (left: Self, right: Self) -> Int { Int(left.rawValue - right.rawValue) }
}

/// Names one entry of all logs that ever were: two logs that hold the same position are equal up
/// to it (Log Matching, thesis 3.5). The order is "at least as up-to-date" (thesis 3.6.1).
package struct LogPosition: Hashable, Sendable, Comparable, CustomStringConvertible {
    package static let zero = LogPosition(index: .zero, term: .zero)
    package var index: LogIndex
    package var term: Term
    package init(index: LogIndex, term: Term) {
        self.index = index
        self.term = term
    }
    package var description: String { "\(index)@\(term)" }
    package static func < (left: Self, right: Self) -> Bool {
        (left.term, left.index) < (right.term, right.index)
    }
}

/// What must be on stable storage before a vote or an acknowledgement leaves (thesis 3.8). The
/// commit index isn't part of it: it is learnt again.
package struct HardState: Hashable, Sendable {
    package static let empty = HardState(term: .zero, votedFor: nil)
    package var term: Term
    package var votedFor: NodeID?
    package init(term: Term, votedFor: NodeID?) {
        self.term = term
        self.votedFor = votedFor
    }
}

/// What a snapshot stands for. Its bytes are the shell's.
package struct SnapshotMark: Hashable, Sendable {
    /// The last entry that the snapshot contains.
    package var position: LogPosition
    /// The membership in effect at `position`.
    package var membership: Membership
    package init(position: LogPosition, membership: Membership) {
        self.position = position
        self.membership = membership
    }
}
