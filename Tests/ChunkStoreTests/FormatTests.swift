import Core
import Testing

@testable import ChunkStore

/// Bytes on disk are a specification: these must never change under a version.
@Suite struct FormatTests {
    private let store = StorageIdentity(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10)
    private let segment = StorageIdentity(high: 0x1112_1314_1516_1718, low: 0x191A_1B1C_1D1E_1F20)
    private let chunk = ChunkID(high: 0x0070_2122_2324_2526, low: 0x2728_292A_2B2C_2D2E)

    @Test func `the limits agree with each other`() { ChunkStoreLimits.check() }

    @Test func `a segment header has the bytes of version 1`() throws {
        let header = SegmentHeader(
            kind: .large, number: 5, store: store, identity: segment, bytes: 1 << 28,
            isSealed: true)
        #expect(
            Hex.encode(header.encoded())
                == "7c0609bc445354530100020005000000" + "0102030405060708090a0b0c0d0e0f10"
                + "1112131415161718191a1b1c1d1e1f20" + "00000010000000000100000000000000")
        #expect(try SegmentHeader.decode(header.encoded()) == header)
    }

    @Test func `files are told by their names`() {
        #expect(SegmentHeader.number(ofFile: SegmentHeader.fileName(258)) == 258)
        #expect(TombstoneLog.number(ofFile: TombstoneLog.fileName(258)) == 258)
        for digits in ["00000000", "ffffffff", "0000000A", "+0000001", "102", "0000010g"] {
            #expect(SegmentHeader.number(ofFile: "segment-" + digits) == nil)
            #expect(TombstoneLog.number(ofFile: "deleted-" + digits) == nil)
        }
        #expect(SegmentHeader.number(ofFile: TombstoneLog.fileName(1)) == nil)
    }

    @Test func `a segment of a size that none has is damaged`() {
        for bytes in [ChunkStoreLimits.segmentBytesMax + 1, Int.max, -1] {
            let header = SegmentHeader(
                kind: .large, number: 5, store: store, identity: segment, bytes: 0)
            var encoded = header.encoded()
            withUnsafeBytes(of: UInt64(bitPattern: Int64(bytes)).littleEndian) {
                encoded.replaceSubrange(48..<56, with: $0)
            }
            withUnsafeBytes(of: CRC32C.of(encoded[4...]).littleEndian) {
                encoded.replaceSubrange(0..<4, with: $0)
            }
            #expect(throws: HeaderProblem.damaged) { try SegmentHeader.decode(encoded) }
        }
    }

    @Test func `an extent header has the bytes of version 1`() throws {
        let header = ExtentHeader(
            chunk: chunk, segment: segment, offset: 0x5000, payloadBytes: 65_553,
            checksums: [0xAABB_CCDD, 0x1122_3344], owner: [1, 2, 3])
        let bytes = header.encoded()
        #expect(
            Hex.encode(bytes)
                == "75cdbb804453544301000100" + "4b000300" + "00702122232425262728292a2b2c2d2e"
                + "1112131415161718191a1b1c1d1e1f20" + "0050000000000000" + "11000100"
                + "02000000" + "ddccbbaa44332211" + "010203")
        #expect(try bytes.withUnsafeBytes { try ExtentHeader.decode($0) } == header)
    }

    @Test func `a tombstone of version 1 is read`() throws {
        for (kind, hex) in [
            (
                TombstoneRecord.Kind.deleted,
                "d5c322fc4453545488776655443322110070212223242526" + "2728292a2b2c2d2e"
            ),
            (.dropped, "e797b6144453544488776655443322110070212223242526" + "2728292a2b2c2d2e"),
        ] {
            let bytes = try #require(Hex.decode(hex))
            let (record, count) = try bytes.withUnsafeBytes { try TombstoneRecord.decode($0) }
            #expect(count == 32)
            #expect(
                record
                    == TombstoneRecord(
                        kind: kind, chunk: chunk, milliseconds: 0x1122_3344_5566_7788,
                        place: nil))
        }
    }

    @Test func `a tombstone has the bytes of version 2`() throws {
        let place = TombstoneRecord.Place(
            extent: Extent(segment: 0x31_3233, offset: 0x3435_3000, bytes: 0x9000),
            identity: segment)
        for (kind, place, hex) in [
            (
                TombstoneRecord.Kind.deleted, nil,
                "5696325344535432887766554433221100702122232425262728292a2b2c2d2e"
                    + String(repeating: "0", count: 64)
            ),
            (
                .deleted, place,
                "dcea0c8e44535432887766554433221100702122232425262728292a2b2c2d2e"
                    + "003035340000000033323100009000001112131415161718191a1b1c1d1e1f20"
            ),
            (
                .dropped, place,
                "072906f844534432887766554433221100702122232425262728292a2b2c2d2e"
                    + "003035340000000033323100009000001112131415161718191a1b1c1d1e1f20"
            ),
        ] {
            let record = TombstoneRecord(
                kind: kind, chunk: chunk, milliseconds: 0x1122_3344_5566_7788, place: place)
            var writer = RecordWriter(capacity: 64)
            record.append(to: &writer)
            #expect(Hex.encode(writer.bytes) == hex)
            let (read, count) = try writer.bytes.withUnsafeBytes {
                try TombstoneRecord.decode($0)
            }
            #expect(read == record)
            #expect(count == 64)
            for index in writer.bytes.indices {
                var flipped = writer.bytes
                flipped[index] ^= 8
                #expect(throws: HeaderProblem.damaged) {
                    try flipped.withUnsafeBytes { _ = try TombstoneRecord.decode($0) }
                }
            }
            // Half a record is none, whichever half.
            for half in [writer.bytes[..<32], writer.bytes[32...]] {
                #expect(throws: HeaderProblem.self) {
                    try Array(half).withUnsafeBytes { _ = try TombstoneRecord.decode($0) }
                }
            }
        }
    }

    @Test func `headers of unknown versions and flipped bits are told apart`() {
        var bytes = SegmentHeader(
            kind: .small, number: 1, store: store, identity: segment, bytes: 1 << 20
        ).encoded()
        for index in bytes.indices {
            var flipped = bytes
            flipped[index] ^= 4
            #expect(throws: HeaderProblem.damaged) { try SegmentHeader.decode(flipped) }
        }
        bytes[8] = 2
        let sum = CRC32C.of(bytes[4...])
        withUnsafeBytes(of: sum.littleEndian) { bytes.replaceSubrange(0..<4, with: $0) }
        #expect(throws: HeaderProblem.unknownVersion(2)) { try SegmentHeader.decode(bytes) }
        #expect(throws: HeaderProblem.blank) {
            try SegmentHeader.decode([UInt8](repeating: 0, count: 64))
        }
    }

    @Test func `a flipped bit in an extent header is found`() {
        let bytes = ExtentHeader(
            chunk: chunk, segment: segment, offset: 0, payloadBytes: 9, checksums: [1],
            owner: [7]
        ).encoded()
        for index in bytes.indices {
            var flipped = bytes
            flipped[index] ^= 1
            let header = flipped.withUnsafeBytes { try? ExtentHeader.decode($0) }
            #expect(header == nil, "byte \(index)")
        }
    }
}
