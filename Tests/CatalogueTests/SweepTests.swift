import Core
import Foundation
import Messages
import Testing

@testable import Catalogue

/// The table of chunks that are named, and the fence that keeps swept ones from being named.
struct SweepTests {
    private let scratch: ScratchDirectory
    private let store: RangeStore
    private var make = CommandMaker()
    private let range = RangeID(rawValue: 1)

    init() throws {
        scratch = try ScratchDirectory()
        store = try RangeStore.open(path: scratch.file("range"), range: range)
    }

    private func fence(_ seconds: Int64) -> UInt32 {
        UInt32(1_700_000_000 + seconds)
    }

    @Test mutating func `a chunk is named from its command to the end of its garbage`() throws {
        let put = make.put("k", size: 20 << 20)
        let chunks = put.putObject.body.chunkIDs
        #expect(try store.unnamed(chunks, fence: fence(-10), make: &make).isEmpty)
        #expect(try store.apply(put).failure == .none)
        make.time += 60_000
        #expect(try store.unnamed(chunks, fence: fence(30), make: &make).isEmpty)
        _ = try store.apply(make.delete("k"))
        #expect(try store.unnamed(chunks, make: &make).isEmpty)
        let row = try #require(try store.garbage().first).row
        _ = try store.apply(make.range { $0.garbageDone.rows = [row] })
        #expect(try store.unnamed(chunks, make: &make) == chunks)
    }

    @Test mutating func `parts are named until each of them is gone`() throws {
        let (create, upload) = make.createUpload("k")
        _ = try store.apply(create)
        var chunks: [[Data]] = []
        for number in UInt32(1)...3 {
            let part = make.putPart(
                number, of: upload, key: "k", size: Limits.partBytesMin, etag: "p\(number)")
            chunks.append(part.putPart.part.body.chunkIDs)
            #expect(try store.apply(part).failure == .none)
        }
        _ = try store.apply(
            make.range {
                $0.abortUpload.bucket = 1
                $0.abortUpload.key = Data("k".utf8)
                $0.abortUpload.upload = upload
            })
        #expect(try store.unnamed(chunks.flatMap { $0 }, make: &make).isEmpty)
        let row = try #require(try store.garbage().first).row
        _ = try store.apply(
            make.range {
                $0.garbagePartsDone.row = row
                $0.garbagePartsDone.upToPart = 2
            })
        #expect(try store.unnamed(chunks.flatMap { $0 }, make: &make) == chunks[0] + chunks[1])
        _ = try store.apply(make.range { $0.garbageDone.rows = [row] })
        #expect(try store.unnamed(chunks.flatMap { $0 }, make: &make) == chunks.flatMap { $0 })
    }

    @Test mutating func `what was born before the fence is not named any more`() throws {
        let early = make.put("early")
        let late = make.put("late")
        let (create, upload) = make.createUpload("k")
        _ = try store.apply(create)
        let part = make.putPart(
            1, of: upload, key: "k", size: Limits.partBytesMin, etag: "p")
        #expect(try store.apply(early).failure == .none)
        make.time += 60_000
        _ = try store.apply(make.raiseFence(to: fence(30)))
        // An older fence is no step back.
        _ = try store.apply(make.raiseFence(to: fence(-10_000)))
        #expect(try store.apply(late).failure == .chunkTooOld)
        #expect(try store.apply(part).failure == .chunkTooOld)
        #expect(try store.get("late").failure == .noSuchKey)
        #expect(try store.apply(make.putInline("inline", "text")).failure == .none)
        #expect(try store.apply(make.put("new")).failure == .none)
        // The first answer stands, and so does what it named.
        #expect(try store.apply(early).failure == .none)
        #expect(try store.unnamed(early.putObject.body.chunkIDs, make: &make).isEmpty)
    }

    @Test mutating func `only chunks born before the fence are judged`() throws {
        let old = make.chunk()
        make.time += 60_000
        let new = make.chunk()
        #expect(try store.unnamed([old, new], fence: fence(30), make: &make) == [old])
        #expect(try store.unnamed([new], fence: fence(30), make: &make).isEmpty)
        let answer = try store.ask { (query: inout ProtoRangeQuery) in
            query.findUnnamed.chunks = [Data([1, 2, 3])]
        }
        #expect(answer.failure == .invalidCommand)
    }

    @Test mutating func `a file of version 1 gets the table from its rows`() throws {
        let (create, upload) = make.createUpload("multi")
        for command in [make.put("a"), make.put("long", size: 300 << 20), create, make.put("b")] {
            #expect(try store.apply(command).failure == .none)
        }
        _ = try store.apply(make.putInline("inline", "text"))
        _ = try store.apply(
            make.putPart(1, of: upload, key: "multi", size: Limits.partBytesMin, etag: "p"))
        _ = try store.apply(make.delete("b"))
        let digest = try store.contentDigest()
        store.close()
        let path = scratch.file("range")
        let connection = try SQLiteConnection(path: path, mode: .readWrite, cacheKiB: 100)
        try connection.execute("DROP TABLE named; PRAGMA user_version = 1")
        let old = try RangeStore.open(path: path, range: range)
        #expect(try old.contentDigest() == digest)
        old.close()
        #expect(try RangeStore.open(path: path, range: range).contentDigest() == digest)
    }
}
