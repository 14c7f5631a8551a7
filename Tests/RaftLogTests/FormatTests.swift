import Core
import Raft
import Testing

@testable import RaftLog

struct FormatTests {
    private let node = NodeID(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10)
    private let range = RangeID(rawValue: 3)

    private func hex(_ item: LogItem) -> String {
        var writer = ByteWriter()
        item.encode(to: &writer)
        return Hex.encode(writer.bytes)
    }

    private func entry(_ payload: RaftEntry.Payload) -> LogItem {
        .entry(
            range,
            RaftEntry(term: Term(rawValue: 5), index: LogIndex(rawValue: 258), payload: payload))
    }

    @Test func `the bytes of items do not change`() {
        let membership = Membership(voters: [node], learners: [NodeID(high: 1, low: 2)])
        let mark = SnapshotMark(
            position: LogPosition(index: LogIndex(rawValue: 9), term: Term(rawValue: 4)),
            membership: membership)
        #expect(
            hex(entry(.empty)) == "0100000003000000100000006eea982a05000000000000000201000000000000"
        )
        #expect(
            hex(entry(.command([0xAA, 0xBB])))
                == "010100000300000012000000f64f815705000000000000000201000000000000"
                + "aabb")
        #expect(
            hex(entry(.membership(membership)))
                == "010200000300000034000000c161536d05000000000000000201000000000000"
                + "010101000102030405060708090a0b0c0d0e0f10000000000000000100000000"
                + "00000002")
        #expect(
            hex(.hardState(range, HardState(term: Term(rawValue: 7), votedFor: nil)))
                == "020000000300000008000000c20b81b50700000000000000")
        #expect(
            hex(.hardState(range, HardState(term: Term(rawValue: 7), votedFor: node)))
                == "0200000003000000180000000f16331707000000000000000102030405060708"
                + "090a0b0c0d0e0f10")
        #expect(
            hex(.mark(range, mark))
                == "030000000300000034000000733f77f409000000000000000400000000000000"
                + "010101000102030405060708090a0b0c0d0e0f10000000000000000100000000"
                + "00000002")
        #expect(
            hex(.reset(range, mark))
                == "0400000003000000340000008cc4b3bd09000000000000000400000000000000"
                + "010101000102030405060708090a0b0c0d0e0f10000000000000000100000000"
                + "00000002")
        #expect(hex(.removal(range)) == "050000000300000000000000c4b69204")
    }

    @Test func `the bytes of a record do not change`() {
        var builder = RecordBuilder()
        _ = builder.append(.removal(range))
        let record = builder.record(
            kind: .batch, salt: 0x1122_3344_5566_7788, offset: 4096, durable: 1024)
        #expect(
            Hex.encode(record) == "022fa9af01000200887766554433221100100000000400001000000001000000"
                + "050000000300000000000000c4b69204")
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func `items come back as they went`(seed: UInt64) {
        var work = LogWorkload(random: SeededRandom(seed: seed))
        var writer = ByteWriter()
        var items: [LogItem] = []
        for _ in 0..<20 {
            let item = entry(work.payload())
            items += [item, .hardState(range, HardState(term: .zero, votedFor: work.node()))]
        }
        for item in items {
            let start = writer.count
            item.encode(to: &writer)
            #expect(writer.count - start == item.byteCount)
        }
        var offset = 0
        for item in items {
            let found = LogItem.decode(writer.bytes, at: &offset, to: writer.count)
            #expect(found == item)
        }
        #expect(offset == writer.count)
    }

    @Test func `a damaged item is none`() {
        var writer = ByteWriter()
        entry(.command([1, 2, 3])).encode(to: &writer)
        for byte in 0..<writer.count {
            for bit in 0..<8 as Range<UInt8> {
                var bytes = writer.bytes
                bytes[byte] ^= 1 << bit
                var offset = 0
                let found = LogItem.decode(bytes, at: &offset, to: bytes.count)
                #expect(found == nil)
            }
        }
        for count in 0..<writer.count {
            var offset = 0
            let found = LogItem.decode(Array(writer.bytes.prefix(count)), at: &offset, to: count)
            #expect(found == nil)
        }
    }

    @Test func `numbers that no log reaches are no item's`() {
        let mark = SnapshotMark(
            position: LogPosition(index: LogIndex(rawValue: .max), term: Term(rawValue: 1)),
            membership: .none)
        let entry = RaftEntry(
            term: Term(rawValue: .max), index: LogIndex(rawValue: 1), payload: .empty)
        let state = HardState(term: Term(rawValue: .max), votedFor: nil)
        let items: [LogItem] = [
            .mark(range, mark), .reset(range, mark), .entry(range, entry),
            .hardState(range, state),
        ]
        for item in items {
            var writer = ByteWriter()
            item.encode(to: &writer)
            var offset = 0
            #expect(LogItem.decode(writer.bytes, at: &offset, to: writer.count) == nil)
        }
    }

    @Test func `segments are told by their names`() {
        #expect(Segment.name(258) == "raft-00000102.log")
        #expect(Segment.number(ofName: "raft-00000102.log") == 258)
        for name in ["raft-102.log", "raft-0000010G.log", "raft-0000010A.log", "other", ".log"] {
            #expect(Segment.number(ofName: name) == nil)
        }
    }

    @Test func `limits agree with each other`() { RaftLogLimits.check() }
}
