import Core
import Messages
import NIOCore
import Raft
import RaftLog
import Testing

@testable import Coordinator

struct ConsensusPartsTests {
    private let from = NodeID(high: 1, low: 1)
    private let to = NodeID(high: 2, low: 2)

    private func position(_ index: UInt64, _ term: UInt64) -> LogPosition {
        LogPosition(index: LogIndex(rawValue: index), term: Term(rawValue: term))
    }

    @Test func `every kind of message survives the wire`() throws {
        let stamp = RaftMessage.Stamp(sentAt: 77, round: 5)
        let membership = Membership(voters: [from, to], learners: [NodeID(high: 3, low: 3)])
        let payloads: [RaftEntry.Payload] = [
            .empty, .command([]), .command([1, 2, 3]), .membership(membership),
        ]
        let entries = payloads.enumerated().map { offset, payload in
            RaftEntry(
                term: Term(rawValue: 4), index: LogIndex(rawValue: 10 + UInt64(offset)),
                payload: payload)
        }
        let kinds: [RaftMessage.Kind] = [
            .vote(.init(isPreVote: true, isForced: false, last: position(8, 3))),
            .vote(.init(isPreVote: false, isForced: true, last: .zero)),
            .voteReply(.init(isPreVote: true, isGranted: true)),
            .append(
                .init(
                    previous: position(9, 4), entries: entries, commit: LogIndex(rawValue: 7),
                    stamp: stamp)),
            .appendReply(.init(outcome: .matched(LogIndex(rawValue: 6)), stamp: stamp)),
            .appendReply(
                .init(
                    outcome: .rejected(previous: LogIndex(rawValue: 6), hint: position(4, 2)),
                    stamp: .zero)),
            .heartbeat(.init(commit: LogIndex(rawValue: 3), stamp: stamp)),
            .heartbeatReply(.init(stamp: stamp)),
            .timeoutNow,
        ]
        let messages = kinds.enumerated().map { offset, kind in
            RangeMessage(
                range: RangeID(rawValue: UInt32(offset)),
                message: RaftMessage(from: from, to: to, term: Term(rawValue: 9), kind: kind))
        }
        let bytes = RaftCodec.encode(messages)
        #expect(try RaftCodec.decode(bytes, from: from, to: to) == messages)
    }

    @Test func `bytes that are no messages are refused`() {
        let empty = ProtoRaftBatch.with { $0.messages = [ProtoRaftEnvelope()] }
        let badNode = ProtoRaftBatch.with {
            $0.messages = [
                .with {
                    $0.append.entries = [.with { $0.membership.voters = [.init([1, 2, 3])] }]
                }
            ]
        }
        let overflow = ProtoRaftBatch.with {
            $0.messages = [.with { $0.append.previousIndex = .max }]
        }
        for batch in [empty, badNode, overflow] {
            #expect(throws: RaftCodec.Malformed.self) {
                try RaftCodec.decode(RaftCodec.bytes(of: batch), from: from, to: to)
            }
        }
        #expect(throws: RaftCodec.Malformed.self) {
            try RaftCodec.decode(ByteBuffer(bytes: [0xFF, 1, 2]), from: from, to: to)
        }
    }

    @Test func `numbers that no peer can have reached are refused`() {
        let changes: [(inout ProtoRaftEnvelope) -> Void] = [
            { ($0.term, $0.timeoutNow) = (.max, ProtoRaftTimeoutNow()) },
            { $0.vote.lastIndex = .max }, { $0.vote.lastTerm = .max },
            { $0.append.previousTerm = .max }, { $0.append.commit = .max },
            { $0.append.sentAt = .max }, { $0.appendReply.matched = .max },
            { $0.appendReply.round = .max }, { $0.heartbeat.commit = .max },
            { $0.heartbeatReply.sentAt = .max },
            {
                $0.appendReply.isRejected = true
                $0.appendReply.hintIndex = .max
            },
        ]
        for (number, change) in changes.enumerated() {
            let batch = ProtoRaftBatch.with { $0.messages = [.with { change(&$0) }] }
            #expect(throws: RaftCodec.Malformed.self, "change \(number)") {
                try RaftCodec.decode(RaftCodec.bytes(of: batch), from: from, to: to)
            }
        }
        #expect(throws: RaftCodec.Malformed.self) {
            try RaftCodec.decode(ProtoRaftMark.with { $0.index = .max })
        }
    }

    @Test func `entries whose terms do not grow, or are beyond the leader's, are refused`() {
        for terms in [[3, 2], [6]] as [[UInt64]] {
            let batch = ProtoRaftBatch.with {
                $0.messages = [
                    .with {
                        $0.term = 5
                        $0.append.previousTerm = 1
                        $0.append.entries = terms.map { term in .with { $0.term = term } }
                    }
                ]
            }
            #expect(throws: RaftCodec.Malformed.self) {
                try RaftCodec.decode(RaftCodec.bytes(of: batch), from: from, to: to)
            }
        }
    }

    @Test func `more members than a group may have are refused`() {
        let nodes = (0...UInt64(RaftLimits.membersMax)).map { NodeID(high: 1, low: $0) }
        let crowd = ProtoRaftMembership.with { $0.voters = nodes.map { .init($0.bytes) } }
        #expect(throws: RaftCodec.Malformed.self) { try RaftCodec.decode(crowd) }
    }

    @Test func `a note comes back as it was`() {
        let note = StoreNote(
            term: Term(rawValue: 3), membership: Membership(voters: [from], learners: [to]))
        #expect(StoreNote(bytes: note.bytes) == note)
        #expect(StoreNote(bytes: []) == nil)
        #expect(StoreNote(bytes: [0xFF]) == nil)
        #expect(note.mark(at: 5).position == position(5, 3))
    }

    @Test func `quantiles of latencies are upper bounds`() {
        var counts = LatencyCounts()
        #expect(counts.quantile(0.5) == 0)
        for value in [0, 1, 2, 3, 100, 1_000, 5_000_000_000] as [UInt64] {
            counts.add(microseconds: value)
        }
        #expect(counts.count == 7)
        #expect(counts.quantile(0.5) == 4)
        #expect(counts.quantile(0.8) == 1_024)
    }

    @Test func `limits agree with each other`() { RaftHostLimits.check() }
}

/// What a start makes of log and state machine.
struct ConsensusRecoveryTests {
    private let disk = SimulatedDisk()
    private let range = RangeID(rawValue: 1)
    private let members = Membership(voters: [NodeID(high: 1, low: 1)])

    private func open() throws -> RaftLog {
        try RaftLog(disk: disk, segmentBytes: 64 << 10, seed: 1)
    }

    private func entries(_ indexes: ClosedRange<UInt64>, term: UInt64) -> [RaftEntry] {
        indexes.map {
            RaftEntry(
                term: Term(rawValue: term), index: LogIndex(rawValue: $0), payload: .command([1]))
        }
    }

    private func store(applied: UInt64, term: UInt64?) -> CounterStore {
        let disk = CounterDisk()
        let note = term.map { StoreNote(term: Term(rawValue: $0), membership: members).bytes }
        disk.replace(CounterState(applied: applied, note: note ?? []))
        return CounterStore(disk)
    }

    private func filled(hardTerm: UInt64 = 2) throws -> RaftLog {
        let log = try open()
        try log.reset(range, to: SnapshotMark(position: .zero, membership: members))
        let state = HardState(term: Term(rawValue: hardTerm), votedFor: nil)
        try log.append([
            GroupWrite(range: range, hardState: state, entries: entries(1...10, term: 2))
        ])
        try log.sync()
        return log
    }

    @Test func `a new group begins with its first membership`() throws {
        let log = try open()
        let found = try GroupRecovery(
            range: range, first: members, store: store(applied: 0, term: nil), log: log)
        #expect(found.recovery.membership == members)
        #expect(found.applied == .zero)
        #expect(try open().group(range)?.mark.membership == members)
    }

    @Test func `entries above what is applied are given to the core`() throws {
        let found = try GroupRecovery(
            range: range, first: members, store: store(applied: 4, term: 2), log: filled())
        #expect(found.recovery.entries == entries(5...10, term: 2))
        #expect(found.applied.index == LogIndex(rawValue: 4))
        #expect(found.recovery.firstIndex == LogIndex(rawValue: 1))
    }

    @Test func `power lost after a snapshot was installed and before the log was begun anew`()
        throws
    {
        let found = try GroupRecovery(
            range: range, first: members, store: store(applied: 50, term: 7), log: filled())
        #expect(found.applied.index == LogIndex(rawValue: 50))
        #expect(found.recovery.entries.isEmpty)
        #expect(found.recovery.firstIndex == LogIndex(rawValue: 51))
        #expect(found.recovery.hardState.term == Term(rawValue: 7))
        #expect(try open().group(range)?.mark.position.index == LogIndex(rawValue: 50))
    }

    @Test func `a log that knows nothing of its catalogue was lost`() throws {
        #expect(throws: RaftHostError.logLost(range)) {
            try GroupRecovery(
                range: range, first: members, store: store(applied: 4, term: 2), log: open())
        }
    }

    @Test func `a catalogue older than the log's beginning is refused`() throws {
        let log = try filled()
        let mark = SnapshotMark(
            position: LogPosition(index: LogIndex(rawValue: 8), term: Term(rawValue: 2)),
            membership: members)
        try log.truncate(range, to: mark)
        #expect(throws: RaftHostError.self) {
            try GroupRecovery(
                range: range, first: members, store: store(applied: 4, term: 2), log: log)
        }
    }

    @Test func `a catalogue of another history is refused`() throws {
        #expect(throws: RaftHostError.self) {
            try GroupRecovery(
                range: range, first: members, store: store(applied: 4, term: 1), log: filled())
        }
        #expect(throws: RaftHostError.self) {
            try GroupRecovery(
                range: range, first: members, store: store(applied: 4, term: nil), log: filled())
        }
    }
}
