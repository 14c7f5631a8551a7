import Core
import Raft

/// A property of Raft that did not hold.
package struct RaftViolation: Error, CustomStringConvertible {
    package let seed: UInt64
    package let milliseconds: UInt64
    package let text: String
    package var description: String { "seed \(seed) at \(milliseconds) ms: \(text)" }
}

/// Sees all members at once and knows what must hold (thesis, figure 3.2).
struct RaftChecker {
    struct Failure: Error { let text: String }

    private struct Committed {
        var term: Term
        /// The term of the leader that committed it.
        var inTerm: Term
    }

    private struct Appended: Hashable {
        var hash: UInt64
        var previousTerm: Term?
    }

    private var leaders: [Term: NodeID] = [:]
    /// Entry 1 first.
    private var committed: [Committed] = []
    private var appended: [LogPosition: Appended] = [:]
    /// The state after each entry, entry 1 first.
    private var hashes: [UInt64] = []
    /// The last membership that was committed.
    private(set) var membership: Membership

    init(first membership: Membership) { self.membership = membership }

    /// What is committed anywhere: a read that begins now must see it.
    var commit: LogIndex { LogIndex(rawValue: UInt64(committed.count)) }

    /// Election Safety and Leader Completeness.
    mutating func becameLeader(_ node: RaftNode) throws(Failure) {
        if let other = leaders[node.term], other != node.id {
            throw Failure(text: "election safety: two leaders in term \(node.term)")
        }
        leaders[node.term] = node.id
        for (offset, entry) in committed.enumerated() where entry.inTerm < node.term {
            let index = LogIndex(rawValue: UInt64(offset) + 1)
            let term = node.term(at: index)
            if term == entry.term || (term == nil && index <= node.appliedIndex) { continue }
            throw Failure(
                text: "leader completeness: the leader of term \(node.term) lacks entry \(index)")
        }
    }

    /// Log Matching, by induction: one entry has one content and one predecessor in all logs.
    mutating func appended(_ entries: [RaftEntry], by node: RaftNode) throws(Failure) {
        guard let first = entries.first else { return }
        var previousTerm = node.term(at: first.index.previous)
        for entry in entries {
            let new = Appended(hash: EntryHash.of(entry), previousTerm: previousTerm)
            if let old = appended.updateValue(new, forKey: entry.position), old != new {
                throw Failure(text: "log matching: two entries \(entry.position)")
            }
            previousTerm = entry.term
        }
    }

    /// State Machine Safety, before anything is applied.
    mutating func committed(from seen: LogIndex, by node: RaftNode) throws(Failure) {
        var index = seen
        while index < node.commitIndex {
            index = index.next
            let term = node.term(at: index)
            let offset = Int(index.rawValue) - 1
            if offset < committed.count {
                if let term, term != committed[offset].term {
                    throw Failure(text: "state machine safety: two entries committed at \(index)")
                }
            } else if let term, offset == committed.count {
                committed.append(Committed(term: term, inTerm: node.term))
            } else {
                throw Failure(text: "entry \(index) is committed, but nobody had it")
            }
        }
    }

    /// State Machine Safety, after.
    mutating func applied(_ entry: RaftEntry, state: MemberDisk.State) throws(Failure) {
        if case .membership(let membership) = entry.payload,
            Int(entry.index.rawValue) > hashes.count
        {
            self.membership = membership
        }
        try isReached(state)
    }

    mutating func isReached(_ state: MemberDisk.State) throws(Failure) {
        let offset = Int(state.applied.rawValue) - 1
        if offset == hashes.count {
            hashes.append(state.hash)
        } else if offset > hashes.count {
            throw Failure(text: "entry \(state.applied) is applied before those that precede it")
        } else if offset >= 0, hashes[offset] != state.hash {
            throw Failure(text: "state machine safety: two states after \(state.applied)")
        }
    }

    /// - Parameter floor: what was committed anywhere when the read began.
    func read(at index: LogIndex, floor: LogIndex, kind: String) throws(Failure) {
        if index < floor {
            throw Failure(text: "stale \(kind) read at \(index), \(floor) was committed before")
        }
    }
}
