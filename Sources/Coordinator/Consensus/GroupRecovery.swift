import Catalogue
import Core
import Raft
import RaftLog

/// Why a coordinator cannot take part in its groups. The process does not start, or stops.
package enum RaftHostError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The log knows nothing of a group whose catalogue is there: votes may have been forgotten.
    /// The node's data is removed; it comes back as a new member.
    case logLost(RangeID)
    /// Catalogue and log contradict each other. As ``logLost(_:)``.
    case damaged(RangeID, String)
    case log(RaftLogError)
    case catalogue(RangeID, CatalogueError)
    case directory(String)
    /// The log lacks what this node has acknowledged, and so perhaps votes. As ``logLost(_:)``.
    case forgotten(RangeID, String)
    /// It ran, and cannot go on.
    case stopped(String)

    package var description: String {
        switch self {
        case .logLost(let range):
            "the Raft log knows nothing of \(range), whose catalogue is there: the log was lost"
        case .damaged(let range, let what): "\(range) is damaged: \(what)"
        case .log(let error): "the Raft log can't be opened: \(error)"
        case .catalogue(let range, let error): "the catalogue of \(range) can't be opened: \(error)"
        case .directory(let what): what
        case .forgotten(let range, let what):
            "the Raft log of \(range) \(what): an older copy of the disk was put back, or it lost "
                + "what was synced"
        case .stopped(let reason): reason
        }
    }
}

/// Brings one group's log and state machine together after a start.
struct GroupRecovery {
    let store: any CatalogueStore
    let recovery: RaftRecovery
    let note: StoreNote
    let applied: LogPosition

    /// - Parameter first: The group's first membership, where this node is one of its founders;
    ///   else ``Membership/none``.
    init(
        range: RangeID, first: Membership, store: any CatalogueStore, log: RaftLog
    ) throws(RaftHostError) {
        self.store = store
        let index = LogIndex(rawValue: store.appliedIndex)
        if log.group(range) == nil {
            guard index == .zero else { throw .logLost(range) }
            do throws(RaftLogError) {
                try log.reset(range, to: SnapshotMark(position: .zero, membership: first))
                try log.sync()
            } catch { throw .log(error) }
        }
        let note = try Self.note(of: store, range: range)
        try Self.adopt(note, at: index, of: range, in: log)
        guard let group = log.group(range) else { preconditionFailure("it was just made") }
        guard index >= group.mark.position.index else {
            throw .damaged(
                range,
                "the catalogue ends at \(index), the log begins after \(group.mark.position.index)")
        }
        guard let term = log.term(range, at: index) else {
            preconditionFailure("between mark and last")
        }
        guard note == nil || note?.term == term else {
            throw .damaged(
                range, "entry \(index) has another term in the log than in the catalogue")
        }
        applied = LogPosition(index: index, term: term)
        let membership = log.membership(range, at: index) ?? first
        self.note = StoreNote(term: term, membership: membership)
        do {
            recovery = RaftRecovery(
                hardState: group.hardState, membership: membership,
                firstIndex: group.mark.position.index.next, start: applied,
                entries: try log.entries(range, from: index.next, bytesMax: .max), applied: index)
        } catch { throw .log(error) }
    }

    private static func note(
        of store: any CatalogueStore, range: RangeID
    ) throws(RaftHostError) -> StoreNote? {
        if store.appliedIndex == 0 { return nil }
        guard let note = StoreNote(bytes: store.note) else {
            throw .damaged(range, "the catalogue does not say what it stands for")
        }
        return note
    }

    /// A snapshot was installed, and power was lost before the log was begun anew: now it is.
    private static func adopt(
        _ note: StoreNote?, at index: LogIndex, of range: RangeID, in log: RaftLog
    ) throws(RaftHostError) {
        guard let note, let group = log.group(range) else { return }
        do throws(RaftLogError) {
            if group.hardState.term < note.term {
                let state = HardState(term: note.term, votedFor: nil)
                try log.append([GroupWrite(range: range, hardState: state)])
            }
            if group.last.index < index {
                try log.reset(range, to: note.mark(at: index.rawValue))
            }
            try log.sync()
        } catch { throw .log(error) }
    }
}
