import Core
import Testing

@Suite struct CoreTests {
    @Test func `the limits agree with each other`() {
        Limits.check()
        #expect(Limits.sealedBytes(ofPlain: 0) == 0)
        #expect(Limits.sealedBytes(ofPlain: 1) == 17)
        #expect(Limits.sealedBytes(ofPlain: 65536) == 65552)
        #expect(Limits.sealedBytes(ofPlain: 65537) == 65569)
        #expect(Limits.sealedBytes(ofPlain: 8 << 20) == Limits.sealedChunkBytesMax)
    }

    @Test func `identifiers keep their bytes and their order`() throws {
        var random = SeededRandom(seed: 1)
        var ids = (0..<100).map { _ in NodeID.random(using: &random) }
        for id in ids {
            #expect(NodeID(bytes: id.bytes) == id)
            #expect(NodeID(hex: id.description) == id)
        }
        ids.sort()
        #expect(ids.map(\.hex) == ids.map(\.hex).sorted())
        #expect(NodeID(bytes: [1, 2, 3]) == nil)
        #expect(NodeID(hex: "xyz") == nil)
    }

    @Test func `a chunk knows its partition and its birth`() {
        var random = SeededRandom(seed: 2)
        for partition in PartitionID.all {
            let time = Int64.random(in: 0..<4_294_967_296_000, using: &random)
            let chunk = ChunkID(
                partition: partition, born: WallTime(milliseconds: time), using: &random)
            #expect(chunk.partition == partition)
            #expect(Int64(chunk.born) == time / 1000)
            #expect(chunk.high >> 48 & 15 == 0)
        }
        for (time, born) in [(-5_000, 0), (Int64.max, UInt32.max)] {
            let chunk = ChunkID(
                partition: PartitionID(rawValue: 4095)!, born: WallTime(milliseconds: time),
                using: &random)
            #expect(chunk.born == born)
            #expect(chunk.partition.rawValue == 4095)
        }
        #expect(PartitionID(rawValue: 4096) == nil)
    }

    @Test(arguments: [
        ("0", 0), ("512", 512), ("8KiB", 8192), ("8 kib", 8192), ("100GB", 100_000_000_000),
        ("1TiB", 1 << 40),
    ])
    func `sizes`(text: String, bytes: Int) { #expect(ByteSize.parse(text) == bytes) }

    @Test(arguments: ["", "KiB", "-1", "1.5GB", "8 parsecs", "99999999999999999999", "9999999TiB"])
    func `what is no size`(text: String) { #expect(ByteSize.parse(text) == nil) }

    @Test func `sizes for people`() {
        #expect(ByteSize.format(0) == "0 B")
        #expect(ByteSize.format(1536) == "1.5 KiB")
        #expect(ByteSize.format(8 << 30) == "8 GiB")
    }

    @Test(arguments: [
        ("10m", Duration.seconds(600)), ("500ms", .milliseconds(500)), ("24h", .seconds(86400)),
    ])
    func `durations`(text: String, duration: Duration) {
        #expect(DurationText.parse(text) == duration)
    }

    @Test(arguments: ["", "10", "m", "-1s", "1.5h", "5 years"])
    func `what is no duration`(text: String) { #expect(DurationText.parse(text) == nil) }

    @Test func `a disk thread runs jobs in order and refuses when full`() async throws {
        let thread = DiskThread(name: "test", jobCountMax: 1000)
        let values = try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<100 { group.addTask { try await thread.run { number } } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(values.sorted() == Array(0..<100))
        thread.stop()
        await #expect(throws: DiskThreadError.overloaded) { try await thread.run {} }
    }
}
