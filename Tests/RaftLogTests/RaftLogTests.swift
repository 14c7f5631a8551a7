import Core
import Foundation
import Raft
import Testing

@testable import RaftLog

private let a = RangeID(rawValue: 1)
private let b = RangeID(rawValue: 2)
private let members = Membership(voters: [NodeID(high: 1, low: 1)])
private let origin = SnapshotMark(position: .zero, membership: members)

private func entries(
    _ indexes: ClosedRange<UInt64>, term: UInt64 = 1, bytes: Int = 100
) -> [RaftEntry] {
    indexes.map {
        RaftEntry(
            term: Term(rawValue: term), index: LogIndex(rawValue: $0),
            payload: .command([UInt8](repeating: UInt8(truncatingIfNeeded: $0), count: bytes)))
    }
}

private func mark(_ index: UInt64, term: UInt64 = 1) -> SnapshotMark {
    SnapshotMark(
        position: LogPosition(index: LogIndex(rawValue: index), term: Term(rawValue: term)),
        membership: members)
}

struct RaftLogTests {
    private let disk = SimulatedDisk()

    private func open(segmentBytes: Int = 16 << 10) throws -> RaftLog {
        let log = try RaftLog(disk: disk, segmentBytes: segmentBytes, seed: 1)
        if log.groups.isEmpty {
            try log.reset(a, to: origin)
            try log.reset(b, to: origin)
            try log.sync()
        }
        return log
    }

    @Test func `many groups share one sync`() throws {
        let log = try open()
        let before = disk.syncCount
        try log.append([
            GroupWrite(range: a, entries: entries(1...3)),
            GroupWrite(range: b, hardState: HardState(term: Term(rawValue: 2), votedFor: nil)),
            GroupWrite(range: a, entries: entries(4...5)),
        ])
        try log.sync()
        #expect(disk.syncCount == before + 1)
        try log.sync()
        #expect(disk.syncCount == before + 1, "nothing new, nothing to sync")
        #expect(log.group(a)?.last.index == LogIndex(rawValue: 5))
        #expect(log.group(b)?.hardState.term == Term(rawValue: 2))
    }

    @Test func `a new suffix replaces the old one`() throws {
        let log = try open()
        try log.append([GroupWrite(range: a, entries: entries(1...9))])
        try log.append([GroupWrite(range: a, entries: entries(4...5, term: 2))])
        let found = try log.entries(a, from: LogIndex(rawValue: 3), bytesMax: .max)
        #expect(found == entries(3...3) + entries(4...5, term: 2))
        #expect(log.term(a, at: LogIndex(rawValue: 6)) == nil)
    }

    @Test func `reading stops at the byte limit, after one entry at least`() throws {
        let log = try open()
        try log.append([GroupWrite(range: a, entries: entries(1...9))])
        #expect(try log.entries(a, from: LogIndex(rawValue: 2), bytesMax: 1) == entries(2...2))
        #expect(try log.entries(a, from: LogIndex(rawValue: 2), bytesMax: 300) == entries(2...3))
        #expect(try log.entries(a, from: LogIndex(rawValue: 10), bytesMax: 300).isEmpty)
        try log.truncate(a, to: mark(4))
        #expect(throws: RaftLogError.compacted(a, first: LogIndex(rawValue: 5))) {
            try log.entries(a, from: LogIndex(rawValue: 4), bytesMax: 1)
        }
    }

    @Test func `segments go once no group needs them, and an idle group is named`() throws {
        let log = try open()
        try log.append([GroupWrite(range: b, entries: entries(1...1))])
        for index in 1...400 as ClosedRange<UInt64> {
            try log.append([GroupWrite(range: a, entries: entries(index...index))])
        }
        try log.sync()
        let count = log.metrics.segmentCount
        #expect(count > 3)
        try log.truncate(a, to: mark(390))
        try log.sync()
        #expect(log.metrics.segmentCount == count)
        #expect(log.pin == RaftLog.Pin(range: b, segmentCount: count - 1))
        try log.truncate(b, to: mark(1))
        #expect(log.metrics.segmentCount == count, "not before the mark is durable")
        try log.sync()
        #expect(log.metrics.segmentCount == 1)
        #expect(try disk.list().count == 1)
        #expect(log.pin == nil)
        let again = try open()
        #expect(again.group(b)?.mark == mark(1))
        #expect(
            try again.entries(a, from: LogIndex(rawValue: 391), bytesMax: .max)
                == entries(391...400))
    }

    @Test func `a failed sync ends all writing`() throws {
        let log = try open()
        try log.append([GroupWrite(range: a, entries: entries(1...1))])
        disk.failSync(after: 1)
        #expect(throws: RaftLogError.self) { try log.sync() }
        #expect(throws: RaftLogError.poisoned) { try log.sync() }
        #expect(throws: RaftLogError.poisoned) {
            try log.append([GroupWrite(range: a, entries: entries(2...2))])
        }
    }

    @Test func `a write cut short for lack of room can be repeated`() throws {
        let log = try open()
        try log.append([GroupWrite(range: a, entries: entries(1...1))])
        disk.failWrite(after: 1)
        let write = GroupWrite(range: a, entries: entries(2...4))
        #expect(throws: RaftLogError.full) { try log.append([write]) }
        #expect(log.group(a)?.last.index == LogIndex(rawValue: 1))
        try log.append([write])
        try log.sync()
        #expect(try open().group(a)?.last.index == LogIndex(rawValue: 4))
    }

    @Test func `a bad record in front of good ones is named with file and place`() throws {
        let log = try open()
        for index in 1...3 as ClosedRange<UInt64> {
            try log.append([GroupWrite(range: a, entries: entries(index...index))])
            try log.sync()
        }
        let name = try #require(disk.list().last)
        let bytes = try #require(disk.bytes(of: name))
        let second = try #require(
            bytes.indices.first { bytes[$0...].starts(with: [2, 2, 2, 2, 2]) })
        disk.flipBit(0, ofByte: second, in: name)
        do {
            _ = try open()
            Issue.record("a corrupt log was opened")
        } catch RaftLogError.corrupt(let file, let offset, let what) {
            #expect(file == name)
            #expect(offset < second)
            #expect(offset > second - 128)
            #expect(what == "a bad record in front of good ones")
        }
    }

    @Test func `a corrupt entry is not read`() throws {
        let log = try open()
        try log.append([GroupWrite(range: a, entries: entries(1...3))])
        try log.sync()
        let name = try #require(disk.list().last)
        let bytes = try #require(disk.bytes(of: name))
        let second = try #require(
            bytes.indices.first { bytes[$0...].starts(with: [2, 2, 2, 2, 2]) })
        disk.flipBit(0, ofByte: second, in: name)
        #expect(throws: RaftLogError.self) {
            try log.entries(a, from: LogIndex(rawValue: 1), bytesMax: .max)
        }
        #expect(try log.entries(a, from: LogIndex(rawValue: 3), bytesMax: 1) == entries(3...3))
    }

    @Test func `a missing segment is named`() throws {
        let log = try open()
        for index in 1...400 as ClosedRange<UInt64> {
            try log.append([GroupWrite(range: a, entries: entries(index...index))])
        }
        try log.sync()
        let names = try disk.list()
        try disk.remove(names[1])
        #expect(
            throws: RaftLogError.corrupt(file: names[1], offset: 0, what: "the file is missing")
        ) {
            try open()
        }
    }

    @Test func `records of a newer version are refused`() throws {
        let name = Segment.name(1)
        var builder = RecordBuilder()
        builder.append(field: UInt32(1))
        builder.append(field: UInt32(0))
        var record = builder.record(kind: .segmentHead, salt: 1, offset: 0, durable: 0)
        record[4] = 2
        let sum = RecordHeader.checksum(of: record, length: 8)
        for (index, byte) in sum.bigEndianBytes.reversed().enumerated() { record[index] = byte }
        let file = try disk.create(name, bytes: 16 << 10)
        try file.write(record, at: 0)
        #expect(throws: RaftLogError.unsupportedVersion(file: name, version: 2)) { try open() }
    }

    @Test func `memberships are known at every index`() throws {
        let log = try open()
        let later = Membership(voters: [NodeID(high: 2, low: 2)])
        var batch = entries(1...3)
        batch[1].payload = .membership(later)
        try log.append([GroupWrite(range: a, entries: batch)])
        #expect(log.membership(a, at: LogIndex(rawValue: 1)) == members)
        #expect(log.membership(a, at: LogIndex(rawValue: 2)) == later)
        try log.append([GroupWrite(range: a, entries: entries(2...3, term: 2))])
        #expect(log.membership(a, at: LogIndex(rawValue: 3)) == members)
    }
}

struct FileDiskTests {
    private func withDirectory(_ body: (String) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("raftlog-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try body(directory)
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `real files hold what the model holds`(seed: UInt64) throws {
        try withDirectory { directory in
            var work = LogWorkload(random: SeededRandom(seed: seed))
            var model = LogModel()
            for _ in 0..<5 {
                let log = try RaftLog(
                    disk: FileDisk(directory: directory), segmentBytes: 16 << 10,
                    seed: work.random.next())
                #expect(try LogModel.read(log) == model)
                for _ in 0..<100 { try work.step(&model, log) }
                try log.sync()
                #expect(try LogModel.read(log) == model)
            }
        }
    }

    @Test func `a truncated file is no torn tail if it was closed`() throws {
        try withDirectory { directory in
            func open() throws -> RaftLog {
                try RaftLog(disk: FileDisk(directory: directory), segmentBytes: 16 << 10, seed: 1)
            }
            let log = try open()
            try log.reset(a, to: origin)
            for index in 1...300 as ClosedRange<UInt64> {
                try log.append([GroupWrite(range: a, entries: entries(index...index))])
            }
            try log.sync()
            let disk = FileDisk(directory: directory)
            let name = try #require(disk.list().min())
            let file = try disk.open(name)
            try file.truncate(to: file.size() - 8)
            #expect(throws: RaftLogError.self) { try open() }
        }
    }

    @Test func `errors carry the system's code`() {
        let disk = FileDisk(directory: "/nonexistent-\(UUID().uuidString)")
        #expect(throws: RaftLogError.self) {
            try RaftLog(disk: disk, segmentBytes: 16 << 10, seed: 1)
        }
    }
}

struct RaftLogMisuseTests {
    @Test func `a gap in front of an entry is a bug`() async {
        await #expect(processExitsWith: .failure) {
            let range = RangeID(rawValue: 1)
            let log = try RaftLog(disk: SimulatedDisk(), segmentBytes: 16 << 10, seed: 1)
            try log.reset(range, to: SnapshotMark(position: .zero, membership: .none))
            let entry = RaftEntry(
                term: Term(rawValue: 1), index: LogIndex(rawValue: 2), payload: .empty)
            try log.append([GroupWrite(range: range, entries: [entry])])
        }
    }

    @Test func `writing for an unknown group is a bug`() async {
        await #expect(processExitsWith: .failure) {
            let log = try RaftLog(disk: SimulatedDisk(), segmentBytes: 16 << 10, seed: 1)
            try log.append([GroupWrite(range: RangeID(rawValue: 1), hardState: .empty)])
        }
    }

    @Test func `truncating to an entry that is not there is a bug`() async {
        await #expect(processExitsWith: .failure) {
            let range = RangeID(rawValue: 1)
            let log = try RaftLog(disk: SimulatedDisk(), segmentBytes: 16 << 10, seed: 1)
            try log.reset(range, to: SnapshotMark(position: .zero, membership: .none))
            let position = LogPosition(index: LogIndex(rawValue: 4), term: Term(rawValue: 1))
            try log.truncate(range, to: SnapshotMark(position: position, membership: .none))
        }
    }
}
