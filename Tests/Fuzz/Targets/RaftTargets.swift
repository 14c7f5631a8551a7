import Core
import Foundation
import Messages
import NIOCore
import Raft
import SwiftProtobuf

@testable import Coordinator
@testable import RaftLog

let raftTargets = [
    FuzzTarget(name: "raft-codec", runCount: 50_000, seeds: RaftSeeds.codec, run: feedCodec),
    FuzzTarget(name: "raft-node", runCount: 10_000, seeds: RaftSeeds.talks, run: feedNode),
    FuzzTarget(
        name: "raft-formation", runCount: 50_000, seeds: RaftSeeds.formation, run: feedFormation),
    FuzzTarget(name: "raft-log", runCount: 10_000, seeds: LogImage.seeds, run: feedLog),
]

private let nodes = (1...4 as ClosedRange<UInt64>).map { NodeID(high: 0, low: $0) }

// MARK: Messages

/// Batches, snapshots' heads and notes: what is read is written the same.
private func feedCodec(_ input: [UInt8]) {
    var script = Script(input)
    let kind = script.byte()
    let bytes = script.all()
    switch kind % 3 {
    case 0:
        guard
            let messages = try? RaftCodec.decode(
                ByteBuffer(bytes: bytes), from: nodes[1], to: nodes[0])
        else { return }
        let again = try? RaftCodec.decode(
            RaftCodec.encode(messages), from: nodes[1], to: nodes[0])
        check(again == messages, "messages became others")
        for case .append(let append) in messages.map(\.message.kind) {
            for entry in append.entries { checkItem(.entry(RangeID(rawValue: 1), entry)) }
        }
    case 1:
        guard let message = try? ProtoRaftSnapshot(serializedBytes: bytes),
            let mark = try? RaftCodec.decode(message.mark)
        else { return }
        check((try? RaftCodec.decode(RaftCodec.encode(mark))) == mark, "a mark became another")
        checkItem(.reset(RangeID(rawValue: 1), mark))
    default:
        guard let note = StoreNote(bytes: bytes) else { return }
        check(StoreNote(bytes: note.bytes) == note, "a note became another")
    }
}

/// Whatever a peer sends can be written to the log, and is the same when it is read.
private func checkItem(_ item: LogItem) {
    var writer = ByteWriter()
    item.encode(to: &writer)
    var offset = 0
    let read = LogItem.decode(writer.bytes, at: &offset, to: writer.count)
    check(read == item && offset == writer.count, "an item became another")
}

private func feedFormation(_ input: [UInt8]) {
    var script = Script(input)
    let kind = script.byte()
    let bytes = script.all()
    if kind % 2 == 0 {
        guard let message = try? ProtoFormationProposal(serializedBytes: bytes),
            let proposal = FormationProposal(message)
        else { return }
        check(FormationProposal(proposal.message) == proposal, "a proposal became another")
    } else if let message = try? ProtoProbeReply(serializedBytes: bytes) {
        _ = FormationPeer(message)
    }
}

// MARK: One member

/// A member of a group of three to whom two others say anything.
private struct Member {
    var node: RaftNode
    var now = MonotonicTime(milliseconds: 10_000)

    init() {
        node = RaftNode(
            configuration: RaftConfiguration(id: nodes[0]),
            recovery: RaftRecovery(first: Membership(voters: nodes.prefix(3))), seed: 1, now: now)
    }

    mutating func pass(_ milliseconds: UInt64) {
        now = MonotonicTime(milliseconds: now.milliseconds + milliseconds)
        node.tick(now: now)
    }

    mutating func step(_ kind: RaftMessage.Kind, from node: NodeID, term: Term) {
        self.node.step(RaftMessage(from: node, to: nodes[0], term: term, kind: kind), now: now)
    }

    /// By the votes of the others.
    mutating func becomeLeader() {
        pass(5000)
        step(
            .voteReply(.init(isPreVote: true, isGranted: true)), from: nodes[1],
            term: Term.zero.next)
        perform()
        step(.voteReply(.init(isPreVote: false, isGranted: true)), from: nodes[1], term: node.term)
        perform()
        check(node.isLeader, "two of three votes make a leader")
    }

    /// All that is to be done, and at once.
    mutating func perform() {
        for _ in 0..<16 where node.hasReady {
            let ready = node.ready(now: now)
            for entry in ready.entries { checkItem(.entry(RangeID(rawValue: 1), entry)) }
            for message in ready.messagesNow + ready.messagesAfterPersist {
                check(message.from == nodes[0], "in another's name")
            }
            if let write = ready.write { node.persisted(write: write, now: now) }
            if let last = ready.committed.last { node.applied(last.index) }
            if let mark = ready.snapshotToInstall {
                checkItem(.reset(RangeID(rawValue: 1), mark))
                node.snapshotInstalled(now: now)
            }
            for wanted in ready.entriesWanted {
                node.supply(wanted, previousTerm: .zero, entries: [], now: now)
            }
        }
        check(node.appliedIndex <= node.lastPosition.index, "applied what it does not have")
        check(
            !node.isLeader || node.commitIndex <= node.lastPosition.index,
            "a leader committed what it does not have")
        _ = node.leaseEnd(now: now)
        _ = node.status
    }
}

private func feedNode(_ input: [UInt8]) {
    var script = Script(input)
    var member = Member()
    if script.byte() % 2 == 1 { member.becomeLeader() }
    for _ in 0..<64 where !script.isEmpty {
        let verb = script.byte()
        let from = nodes[1 + Int(verb >> 6) % 3]
        switch verb % 8 {
        case 0: member.pass(UInt64(script.byte()) * 20)
        case 1: _ = try? member.node.propose([script.bytes(4)], now: member.now)
        case 2: try? member.node.readIndex(token: 1, now: member.now)
        case 3:
            let bytes = script.bytes(Int(script.byte()))
            if let message = try? ProtoRaftSnapshot(serializedBytes: bytes),
                let mark = try? RaftCodec.decode(message.mark),
                let term = try? RaftCodec.term(message.term)
            {
                member.step(.snapshot(mark), from: from, term: term)
            }
        default:
            let bytes = ByteBuffer(bytes: script.bytes(Int(script.byte())))
            let batch = (try? RaftCodec.decode(bytes, from: from, to: nodes[0])) ?? []
            for message in batch { member.node.step(message.message, now: member.now) }
        }
        member.perform()
    }
}

// MARK: The log on disk

private func feedLog(_ input: [UInt8]) {
    let disk = SimulatedDisk()
    guard (try? LogImage.write(input, to: disk)) != nil,
        let log = try? RaftLog(disk: disk, segmentBytes: LogImage.segmentBytes, seed: 1)
    else { return }
    var groups = log.groups
    for (range, group) in groups.sorted(by: { $0.key < $1.key }) {
        let first = group.mark.position.index.next
        let entries = (try? log.entries(range, from: first, bytesMax: 1 << 20)) ?? []
        let indices = entries.map(\.index.rawValue)
        check(
            indices == Array(first.rawValue..<first.rawValue + UInt64(indices.count)), "a gap")
        check(entries.isEmpty || entries.last?.position == group.last, "not up to the last")
        let entry = RaftEntry(
            term: group.last.term, index: group.last.index.next, payload: .command([1, 2, 3]))
        guard (try? log.append([GroupWrite(range: range, entries: [entry])])) != nil else { return }
        groups[range]?.last = entry.position
    }
    guard (try? log.sync()) != nil else { return }
    // What was taken once is taken again, with what came to it.
    do throws(RaftLogError) {
        let again = try RaftLog(disk: disk, segmentBytes: LogImage.segmentBytes, seed: 2)
        check(again.groups == groups, "another log: \(groups) became \(again.groups)")
    } catch {
        // Heads that lack a group, as no log writes them, may be missed once older segments are
        // gone.
        guard LogImage.segmentCount(input) > 1, case .corrupt = error else {
            preconditionFailure("a log that was opened does not open again: \(error)")
        }
    }
}

/// Segments by an input's instructions; checksums are right unless it says otherwise, so that what
/// is behind them gets read.
private enum LogImage {
    static let segmentBytes = 16 << 10

    static func segmentCount(_ input: [UInt8]) -> UInt32 {
        1 + (UInt32(input.first ?? 0) >> 1) % 3
    }

    static func write(_ input: [UInt8], to disk: SimulatedDisk) throws(DiskError) {
        var script = Script(input)
        let mode = script.byte()
        var endBefore = 0
        let count = segmentCount(input)
        for number in 1...count {
            var bytes: [UInt8] = []
            if mode % 8 == 7 {
                bytes = script.bytes(number == count ? 8 << 10 : Int(script.number(UInt16.self)))
            } else {
                bytes = segment(number, endBefore: endBefore, &script)
            }
            let isLast = number == count
            let size = isLast ? max(segmentBytes, bytes.count) : bytes.count
            let file = try disk.create(Segment.name(number), bytes: size)
            try file.write(bytes, at: 0)
            try file.sync()
            endBefore = bytes.count
        }
        try disk.syncDirectory()
    }

    private static func segment(
        _ number: UInt32, endBefore: Int, _ script: inout Script
    ) -> [UInt8] {
        let salt = UInt64(number) * 77
        var head = ByteWriter()
        head.append(number)
        head.append(UInt32(endBefore))
        var bytes = record(.segmentHead, salt, at: 0, before: head.bytes, &script)
        for _ in 0..<script.byte() % 4 {
            bytes += record(.batch, salt, at: bytes.count, before: [], &script)
        }
        return bytes
    }

    private static func record(
        _ kind: RecordHeader.Kind, _ salt: UInt64, at offset: Int, before: [UInt8],
        _ script: inout Script
    ) -> [UInt8] {
        let shape = script.byte()
        var payload = before
        let count = Int(shape % 8)
        for _ in 0..<count { payload += item(&script) }
        var writer = ByteWriter()
        writer.append(UInt32(0))
        writer.append(RecordHeader.version + (shape == 0xFF ? 1 : 0))
        writer.append(kind.rawValue)
        writer.append(salt)
        writer.append(UInt32(offset))
        writer.append(UInt32(shape & 0x40 == 0 ? offset : 0))
        writer.append(UInt32(payload.count))
        writer.append(UInt32(count) + (shape & 0x20 == 0 ? 0 : UInt32(script.byte())))
        writer.append(contentsOf: payload)
        let sum = RecordHeader.checksum(of: writer.bytes, length: payload.count)
        writer.set(sum ^ (shape & 0x90 == 0x90 ? 1 : 0), at: 0)
        writer.append(zeros: RecordHeader.recordBytes(payload: payload.count) - writer.count)
        return writer.bytes
    }

    /// An item as it should be, with small numbers, or any bytes as its body.
    private static func item(_ script: inout Script) -> [UInt8] {
        let kind = script.byte()
        let range = RangeID(rawValue: UInt32(script.byte()))
        var writer = ByteWriter()
        guard kind < 0x80 else {
            sensible(kind, range, &script).encode(to: &writer)
            return writer.bytes
        }
        writer.append(kind & 0x0F)
        writer.append(kind >> 4)
        writer.append(UInt16(0))
        writer.append(range.rawValue)
        let body = script.bytes(Int(script.byte()))
        writer.append(UInt32(body.count))
        writer.append(CRC32C.of(writer.bytes + body))
        return writer.bytes + body
    }

    private static func sensible(
        _ kind: UInt8, _ range: RangeID, _ script: inout Script
    ) -> LogItem {
        let index = LogIndex(rawValue: UInt64(script.byte()))
        let term = Term(rawValue: UInt64(script.byte()))
        let mark = SnapshotMark(
            position: LogPosition(index: index, term: term),
            membership: Membership(voters: nodes.prefix(Int(term.rawValue % 4))))
        switch kind % 8 {
        case 0: return .hardState(range, HardState(term: term, votedFor: nodes[0]))
        case 1: return .mark(range, mark)
        case 2: return .reset(range, mark)
        case 3: return .removal(range)
        case 4:
            let entry = RaftEntry(term: term, index: index, payload: .membership(mark.membership))
            return .entry(range, entry)
        default:
            return .entry(range, RaftEntry(term: term, index: index, payload: .command([9])))
        }
    }

    static func seeds() -> [[UInt8]] {
        let entries: [UInt8] = [0x85, 1, 1, 1, 0x85, 1, 2, 1, 0x84, 1, 3, 1]
        return [
            // One segment: a reset, then entries; another with a mark.
            [0, 2, 0x82, 1, 0, 0, 0x80, 1, 0, 1, 1, 3] + entries,
            [2, 1, 0x82, 1, 0, 0, 1, 3] + entries + [2, 0x80, 1, 0, 1, 0x81, 1, 1, 1, 1, 1]
                + [0x85, 1, 4, 2],
            [0, 1, 2, 1, 24, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0],
        ]
    }
}

// MARK: Seeds

private enum RaftSeeds {
    private static let messages: [RaftMessage.Kind] = {
        let position = LogPosition(index: LogIndex(rawValue: 1), term: Term(rawValue: 1))
        let entry = RaftEntry(
            term: Term(rawValue: 1), index: LogIndex(rawValue: 1), payload: .command([1, 2]))
        let change = RaftEntry(
            term: Term(rawValue: 1), index: LogIndex(rawValue: 2),
            payload: .membership(Membership(voters: nodes)))
        let stamp = RaftMessage.Stamp(sentAt: 10_100, round: 1)
        return [
            .vote(.init(isPreVote: false, isForced: true, last: position)),
            .voteReply(.init(isPreVote: true, isGranted: true)),
            .append(
                .init(
                    previous: .zero, entries: [entry, change], commit: LogIndex(rawValue: 1),
                    stamp: stamp)),
            .appendReply(.init(outcome: .matched(LogIndex(rawValue: 1)), stamp: stamp)),
            .appendReply(
                .init(
                    outcome: .rejected(previous: LogIndex(rawValue: 1), hint: .zero),
                    stamp: stamp)),
            .heartbeat(.init(commit: LogIndex(rawValue: 1), stamp: stamp)),
            .heartbeatReply(.init(stamp: stamp)), .timeoutNow,
        ]
    }()

    private static func batch(_ kinds: [RaftMessage.Kind]) -> [UInt8] {
        let messages = kinds.map { kind in
            RangeMessage(
                range: RangeID(rawValue: 1),
                message: RaftMessage(
                    from: nodes[1], to: nodes[0], term: Term(rawValue: 1), kind: kind))
        }
        return Array(RaftCodec.encode(messages).readableBytesView)
    }

    private static let snapshot: [UInt8] = {
        let mark = SnapshotMark(
            position: LogPosition(index: LogIndex(rawValue: 9), term: Term(rawValue: 1)),
            membership: Membership(voters: nodes))
        let message = ProtoRaftSnapshot.with {
            $0.range = 1
            $0.term = 1
            $0.mark = RaftCodec.encode(mark)
            $0.size = 10
        }
        return Array(RaftCodec.bytes(of: message).readableBytesView)
    }()

    static func codec() -> [[UInt8]] {
        let note = StoreNote(term: Term(rawValue: 3), membership: Membership(voters: nodes))
        return messages.map { [0] + batch([$0]) } + [[0] + batch(messages)]
            + [[1] + snapshot, [2] + note.bytes]
    }

    /// To a follower and to a leader.
    static func talks() -> [[UInt8]] {
        [0, 1].flatMap { (role: UInt8) in
            let single = messages.map { kind in
                let bytes = batch([kind])
                return [role, 4, UInt8(bytes.count)] + bytes + [0, 200, 1, 1, 2, 3, 4, 2]
            }
            let shot: [UInt8] = [role, 3, UInt8(snapshot.count)] + snapshot
            return single + [shot]
        }
    }

    static func formation() -> [[UInt8]] {
        let member = ProtoFormationMember.with {
            $0.node = Data(nodes[0].bytes)
            $0.address = "a:9000"
            $0.label = "a"
            $0.zone = "z"
        }
        let proposal = ProtoFormationProposal.with {
            $0.id = Data(nodes[0].bytes)
            $0.cluster = Data(nodes[1].bytes)
            $0.proposer = Data(nodes[0].bytes)
            $0.members = [member]
            $0.settings.replicationFactor = 3
            $0.settings.partitionCount = UInt32(PartitionID.count)
            $0.rangeCount = 4
        }
        let reply = ProtoProbeReply.with {
            $0.self_p = member
            $0.phase = .proposing
            $0.proposal = proposal
            $0.sees = [Data(nodes[1].bytes)]
        }
        return [
            [0] + Array(RaftCodec.bytes(of: proposal).readableBytesView),
            [1] + Array(RaftCodec.bytes(of: reply).readableBytesView),
        ]
    }
}
