import Core
import Raft
import Simulation
import Testing

@testable import RaftLog

private let a = RangeID(rawValue: 1)
private let b = RangeID(rawValue: 2)
private let c = RangeID(rawValue: 3)

private func node(_ number: UInt64) -> NodeID { NodeID(high: 1, low: number) }
private let members = Membership(voters: [node(1), node(2), node(3)])

private func mark(_ index: UInt64, term: UInt64) -> SnapshotMark {
    SnapshotMark(
        position: LogPosition(index: LogIndex(rawValue: index), term: Term(rawValue: term)),
        membership: members)
}

private func write(
    _ range: RangeID, vote: UInt64? = nil, _ indexes: Range<UInt64> = 0..<0, term: UInt64,
    bytes: Int = 20
) -> GroupWrite {
    GroupWrite(
        range: range,
        hardState: vote.map { HardState(term: Term(rawValue: term), votedFor: node($0)) },
        entries: indexes.map { index in
            RaftEntry(
                term: Term(rawValue: term), index: LogIndex(rawValue: index),
                payload: .command(
                    [UInt8](repeating: UInt8(truncatingIfNeeded: index + 16 * term), count: bytes)))
        })
}

/// Every point of short workloads, and every way in which a disk may leave what was not synced.
@Suite struct CrashPointTests {
    private typealias Step = @Sendable (CrashedLog) throws -> Void

    private static let begin: [Step] = [
        { try $0.perform(.reset(a, mark(0, term: 0))) },
        { try $0.perform(.reset(b, mark(0, term: 0))) },
        { try $0.sync() },
    ]

    private static let workloads: [String: [Step]] = [
        // A vote, entries, a new leader that replaces some, several groups at once, a long call.
        "votes": begin + [
            { try $0.append(write(a, vote: 1, term: 1)) },
            { try $0.sync() },
            { try $0.append(write(a, 1..<4, term: 1), write(b, vote: 2, 1..<2, term: 1)) },
            { try $0.sync() },
            { try $0.append(write(a, vote: 2, term: 2)) },
            { try $0.append(write(a, 2..<4, term: 2), write(b, vote: 3, 1..<3, term: 3)) },
            { try $0.append(write(b, 3..<4, term: 3, bytes: 700)) },
            { try $0.sync() },
            { try $0.append(write(a, vote: 1, 3..<6, term: 4, bytes: 1_700)) },
            { try $0.sync() },
            { try $0.append(write(b, vote: 1, term: 4)) },
        ],
        // Three segments, of which the first goes, then the second.
        "segments": begin + [
            { try $0.append(write(b, vote: 1, 1..<2, term: 1)) },
            { for index in 1..<8 { try $0.append(short(index)) } },
            { for index in 8..<10 { try $0.append(long(index, 1)) } },
            { try $0.sync() },
            { for index in 10..<12 { try $0.append(long(index, 1)) } },
            { try $0.append(write(a, vote: 2, term: 2), write(b, 2..<3, term: 1)) },
            { try $0.sync() },
            { try $0.perform(.truncate(a, mark(11, term: 1))) },
            { try $0.sync() },
            { try $0.append(write(b, vote: 3, term: 3)) },
            { try $0.perform(.truncate(b, mark(2, term: 1))) },
            { try $0.append(long(12, 3)) },
            { try $0.sync() },
            { for index in 13..<16 { try $0.append(long(index, 3)) } },
            { try $0.sync() },
            { try $0.perform(.reset(a, mark(40, term: 4))) },
            { try $0.append(write(a, vote: 1, 41..<43, term: 4)) },
            { try $0.sync() },
        ],
        // Groups that come, begin anew and go.
        "groups": begin + [
            { try $0.append(write(a, vote: 1, 1..<4, term: 1), write(b, 1..<3, term: 1)) },
            { try $0.perform(.reset(c, mark(7, term: 3))) },
            { try $0.append(write(c, vote: 2, 8..<9, term: 3)) },
            { try $0.sync() },
            { try $0.perform(.remove(b)) },
            { try $0.append(write(c, vote: 2, 8..<9, term: 4)) },
            { try $0.sync() },
            { try $0.perform(.reset(b, mark(0, term: 0))) },
            { try $0.append(write(b, vote: 3, 1..<2, term: 5)) },
            { try $0.perform(.reset(a, mark(9, term: 2))) },
            { try $0.sync() },
            { try $0.perform(.truncate(c, mark(8, term: 4))) },
            { try $0.append(write(a, 10..<11, term: 2)) },
        ],
        // A disk that fills up, in the middle of a record and when a segment is to be made.
        "full": begin + [
            { try $0.append(write(a, vote: 1, 1..<3, term: 1)) },
            {
                $0.disk.failNextWrite()
                try $0.append(write(a, vote: 2, 3..<5, term: 2, bytes: 600))
            },
            { try $0.append(write(b, vote: 1, 1..<2, term: 1)) },
            { try $0.append(write(a, vote: 2, 3..<5, term: 2, bytes: 300)) },
            { try $0.sync() },
            {
                $0.disk.setFull(true)
                for index in 5..<9 { try $0.append(long(index, 2)) }
            },
            { try $0.perform(.truncate(a, mark(4, term: 2))) },
            { try $0.sync() },
            { $0.disk.setFull(false) },
            { try $0.append(long(7, 2)) },
            { try $0.append(write(b, vote: 3, 2..<3, term: 4)) },
            { try $0.sync() },
        ],
    ]

    private static func short(_ index: Int) -> GroupWrite {
        write(a, UInt64(index)..<UInt64(index + 1), term: 1)
    }

    private static func long(_ index: Int, _ term: UInt64) -> GroupWrite {
        write(a, UInt64(index)..<UInt64(index + 1), term: term, bytes: 3_400)
    }

    @Test(arguments: workloads.keys.sorted())
    func `the power may go at any point and leave anything`(workload: String) throws {
        guard CrashPlace.isWanted(workload: workload) else { return }
        let crashed = try CrashedLog()
        for step in Self.workloads[workload]! { try step(crashed) }
        var check = CrashCheck(workload, crashed, exhaustiveMax: 1 << 10)
        try check.run()
        #expect(check.wrong.isEmpty, "\(check.wrong.joined(separator: "\n"))")
        #expect(CrashPlace.isReplay || check.imageCount > 200)
    }

    @Test(arguments: 0..<3 as Range<UInt64>)
    func `the power may go in long workloads`(seed: UInt64) throws {
        let workload = "seed \(seed)"
        guard CrashPlace.isWanted(workload: workload) else { return }
        var work = LogWorkload(random: SeededRandom(seed: seed))
        let crashed = try CrashedLog()
        for _ in 0..<120 {
            try crashed.perform(work.operation(crashed.model))
            if Int.random(in: 0..<3, using: &work.random) == 0 { try crashed.sync() }
        }
        var check = CrashCheck(workload, crashed, exhaustiveMax: 4)
        check.sampleCount = 3
        check.recoveryShare = 40
        check.killShare = 37
        try check.run()
        #expect(check.wrong.isEmpty, "\(check.wrong.joined(separator: "\n"))")
        #expect(CrashPlace.isReplay || check.imageCount > 200)
    }
}
