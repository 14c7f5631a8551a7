import Core
import Raft

@testable import RaftLog

/// The obvious log: arrays in memory.
struct LogModel: Equatable {
    struct Group: Equatable {
        var hardState = HardState.empty
        var mark = SnapshotMark(position: .zero, membership: .none)
        var entries: [RaftEntry] = []

        var last: LogPosition { entries.last?.position ?? mark.position }

        var membership: Membership {
            for entry in entries.reversed() {
                if case .membership(let membership) = entry.payload { return membership }
            }
            return mark.membership
        }
    }

    var groups: [RangeID: Group] = [:]

    mutating func append(_ write: GroupWrite) {
        guard var group = groups[write.range] else { preconditionFailure("no group") }
        if let state = write.hardState { group.hardState = state }
        if let first = write.entries.first {
            group.entries.removeAll { $0.index >= first.index }
            group.entries += write.entries
        }
        groups[write.range] = group
    }

    mutating func truncate(_ range: RangeID, to mark: SnapshotMark) {
        groups[range]?.mark = mark
        groups[range]?.entries.removeAll { $0.index <= mark.position.index }
    }

    mutating func reset(_ range: RangeID, to mark: SnapshotMark) {
        groups[range, default: Group()].mark = mark
        groups[range]?.entries = []
    }

    /// What `log` holds, read entry by entry.
    static func read(_ log: RaftLog) throws -> LogModel {
        var model = LogModel()
        for (range, found) in log.groups {
            var group = Group(hardState: found.hardState, mark: found.mark)
            group.entries = try log.entries(
                range, from: found.mark.position.index.next, bytesMax: .max)
            precondition(group.last == found.last)
            precondition(group.membership == log.membership(range, at: found.last.index))
            model.groups[range] = group
        }
        return model
    }
}

/// Makes random operations that a Raft core could ask for.
struct LogWorkload {
    var random: SeededRandom
    let ranges = (0..<4).map { RangeID(rawValue: $0) }

    mutating func node() -> NodeID { NodeID(high: 7, low: .random(in: 1...5, using: &random)) }

    mutating func membership() -> Membership {
        Membership(voters: [node(), node(), node()], learners: [node()])
    }

    mutating func payload() -> RaftEntry.Payload {
        switch Int.random(in: 0..<10, using: &random) {
        case 0: return .empty
        case 1: return .membership(membership())
        default:
            let count = Int.random(in: 0..<200, using: &random)
            return .command((0..<count).map { _ in .random(in: 0...255, using: &random) })
        }
    }

    mutating func write(_ range: RangeID, _ group: LogModel.Group) -> GroupWrite {
        var write = GroupWrite(range: range)
        var term = max(group.hardState.term, group.last.term)
        if Int.random(in: 0..<4, using: &random) == 0 {
            term = term.next
            let vote = Bool.random(using: &random) ? node() : nil
            write.hardState = HardState(term: term, votedFor: vote)
        }
        let overwritten =
            Int.random(in: 0..<5, using: &random) == 0
            ? Int.random(in: 0...group.entries.count, using: &random) : 0
        let first = LogIndex(rawValue: group.last.index.rawValue - UInt64(overwritten) + 1)
        for offset in 0..<Int.random(in: 0...3, using: &random) {
            write.entries.append(
                RaftEntry(term: term, index: first + offset, payload: payload()))
        }
        return write
    }

    /// One operation on both, if there is something to do.
    mutating func step(_ model: inout LogModel, _ log: RaftLog) throws {
        let operation = operation(model)
        model.apply(operation)
        try operation.perform(on: log)
    }

    /// Something that may be done next.
    mutating func operation(_ model: LogModel) -> LogOperation {
        let range = ranges.randomElement(using: &random)!
        guard let group = model.groups[range] else {
            return .reset(range, SnapshotMark(position: .zero, membership: membership()))
        }
        switch Int.random(in: 0..<20, using: &random) {
        case 0 where !group.entries.isEmpty:
            let entry = group.entries.randomElement(using: &random)!
            return .truncate(
                range, SnapshotMark(position: entry.position, membership: membership()))
        case 1:
            let index = LogIndex(
                rawValue: group.mark.position.index.rawValue
                    + .random(in: 0...20, using: &random))
            return .reset(
                range,
                SnapshotMark(
                    position: LogPosition(index: index, term: group.last.term),
                    membership: membership()))
        case 2 where Int.random(in: 0..<10, using: &random) == 0: return .remove(range)
        default:
            var model = model
            var writes = [write(range, group)]
            model.append(writes[0])
            // Several groups, and one group twice, in one batch.
            while Bool.random(using: &random) {
                let range = ranges.randomElement(using: &random)!
                guard let group = model.groups[range] else { break }
                writes.append(write(range, group))
                model.append(writes[writes.count - 1])
            }
            return .append(writes)
        }
    }
}

/// One call that changes the log.
enum LogOperation {
    case append([GroupWrite])
    case truncate(RangeID, SnapshotMark)
    case reset(RangeID, SnapshotMark)
    case remove(RangeID)

    func perform(on log: RaftLog) throws(RaftLogError) {
        switch self {
        case .append(let writes): try log.append(writes)
        case .truncate(let range, let mark): try log.truncate(range, to: mark)
        case .reset(let range, let mark): try log.reset(range, to: mark)
        case .remove(let range): try log.remove(range)
        }
    }
}

extension LogModel {
    mutating func apply(_ operation: LogOperation) {
        switch operation {
        case .append(let writes): for write in writes { append(write) }
        case .truncate(let range, let mark): truncate(range, to: mark)
        case .reset(let range, let mark): reset(range, to: mark)
        case .remove(let range): groups[range] = nil
        }
    }

    /// The operation as a row of the smallest ones: a call that needs several records may be cut
    /// between any two of them.
    static func steps(of operation: LogOperation) -> [LogOperation] {
        guard case .append(let writes) = operation else { return [operation] }
        return writes.flatMap { write in
            let state = write.hardState.map {
                LogOperation.append([GroupWrite(range: write.range, hardState: $0)])
            }
            return [state].compactMap(\.self)
                + write.entries.map { .append([GroupWrite(range: write.range, entries: [$0])]) }
        }
    }
}
