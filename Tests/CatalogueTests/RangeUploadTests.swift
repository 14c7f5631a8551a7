import Core
import Foundation
import Messages
import Testing

@testable import Catalogue

/// Uploads in parts, from beginning to garbage.
struct RangeUploadTests {
    private let scratch: ScratchDirectory
    private let store: RangeStore
    private var make = CommandMaker(seed: 2)
    private let five = Limits.partBytesMin

    init() throws {
        scratch = try ScratchDirectory()
        store = try RangeStore.open(path: scratch.file("range"), range: RangeID(rawValue: 1))
    }

    private mutating func begin(_ key: String) throws -> Data {
        let (command, upload) = make.createUpload(key)
        #expect(try store.apply(command).failure == .none)
        return upload
    }

    private func parts(
        of upload: Data, key: String = "k", after: UInt32 = 0, limit: UInt32 = 1000
    ) throws -> ProtoRangeAnswer {
        try store.ask { (query: inout ProtoRangeQuery) in
            query.listParts.bucket = 1
            query.listParts.key = Data(key.utf8)
            query.listParts.upload = upload
            query.listParts.afterNumber = after
            query.listParts.limit = limit
            query.listParts.withBodies = true
        }
    }

    @Test mutating func `parts in any order become one object`() throws {
        let upload = try begin("k")
        let two = make.putPart(7, of: upload, key: "k", size: 1000, etag: "p7")
        let one = make.putPart(2, of: upload, key: "k", size: five + 1, etag: "p2")
        #expect(try store.apply(two).failure == .none)
        #expect(try store.apply(one).failure == .none)
        #expect(try parts(of: upload).parts.upload.id == upload)
        let complete = make.complete(
            upload, key: "k", parts: [(2, "p2"), (7, "p7")], size: five + 1001)
        let result = try store.apply(complete)
        #expect(result.failure == .none)
        let found = try store.get("k").object
        #expect(found.head == result.head)
        #expect(found.body.multipart.upload == upload)
        #expect(found.body.multipart.partCount == 2)
        let list = try parts(of: upload).parts
        #expect(list.hasUpload == false)
        #expect(list.parts.map(\.number) == [2, 7])
        #expect(list.parts.map(\.offset) == [0, UInt64(five + 1)])
        #expect(list.parts[1].body == two.putPart.part.body)
        // Repeating it answers the same; the upload is gone for everybody else.
        #expect(try store.apply(complete) == result)
        let late = make.putPart(3, of: upload, key: "k", size: 5, etag: "x")
        #expect(try store.apply(late).failure == .noSuchUpload)
    }

    @Test mutating func `the parts from a byte on are found`() throws {
        let upload = try begin("k")
        for number in 1...30 as ClosedRange<UInt32> {
            _ = try store.apply(
                make.putPart(number * 10, of: upload, key: "k", size: five, etag: "\(number)"))
        }
        _ = try store.apply(
            make.complete(
                upload, key: "k", parts: (1...30).map { ($0 * 10, "\($0)") }, size: five * 30))
        func read(_ offset: Int, limit: UInt32) throws -> ProtoPartList {
            try store.ask { (query: inout ProtoRangeQuery) in
                query.readParts.bucket = 1
                query.readParts.upload = upload
                query.readParts.offset = UInt64(offset)
                query.readParts.limit = limit
            }.parts
        }
        #expect(try read(0, limit: 2).parts.map(\.number) == [10, 20])
        #expect(try read(five - 1, limit: 1).parts.map(\.number) == [10])
        #expect(try read(five, limit: 1).parts.map(\.number) == [20])
        let last = try read(five * 29 + 5, limit: 100)
        #expect(last.parts.map(\.number) == [300])
        #expect(last.parts[0].offset == UInt64(five * 29))
        #expect(!last.isTruncated)
        #expect(try read(five, limit: 3).isTruncated)
    }

    @Test mutating func `a completion is refused for the reason that S3 gives`() throws {
        let upload = try begin("k")
        for (number, size) in [(1, five), (2, 100), (3, five)] {
            _ = try store.apply(
                make.putPart(UInt32(number), of: upload, key: "k", size: size, etag: "p\(number)"))
        }
        func failure(_ parts: [(UInt32, String)], _ size: Int) throws -> ProtoCatalogueFailure {
            var maker = CommandMaker(seed: UInt64(parts.count * 1000 + size))
            maker.time = 1_700_000_000_500
            return try store.apply(maker.complete(upload, key: "k", parts: parts, size: size))
                .failure
        }
        #expect(try failure([(3, "p3"), (1, "p1")], 1) == .invalidPartOrder)
        #expect(try failure([(1, "p1"), (1, "p1")], 2) == .invalidPartOrder)
        #expect(try failure([(1, "p1"), (4, "p4")], 3) == .invalidPart)
        #expect(try failure([(1, "other")], 4) == .invalidPart)
        #expect(try failure([(1, "p1"), (2, "p2"), (3, "p3")], 5) == .entityTooSmall)
        #expect(try failure([(1, "p1"), (3, "p3")], 6) == .invalidCommand)
        #expect(try failure([], 0) == .invalidCommand)
        #expect(try store.get("k").failure == .noSuchKey)
        #expect(try store.garbage().isEmpty)
        #expect(try failure([(1, "p1"), (2, "p2")], five + 100) == .none)
    }

    @Test mutating func `replaced and unused parts and the replaced object are garbage`() throws {
        let old = make.put("k")
        _ = try store.apply(old)
        let upload = try begin("k")
        let replaced = make.putPart(1, of: upload, key: "k", size: five, etag: "a")
        let kept = make.putPart(1, of: upload, key: "k", size: five, etag: "b")
        let unused = make.putPart(2, of: upload, key: "k", size: five, etag: "c")
        for command in [replaced, kept, unused] { _ = try store.apply(command) }
        _ = try store.apply(make.complete(upload, key: "k", parts: [(1, "b")], size: five))
        let expected =
            [replaced, unused].flatMap { $0.putPart.part.body.chunkIDs }
            + old.putObject.body.chunkIDs
        #expect(Set(try store.garbage().flatMap(\.chunks)) == Set(expected))
    }

    @Test mutating func `an aborted upload's parts are handed out in batches`() throws {
        let upload = try begin("k")
        var chunks: [Data] = []
        // 300 parts of 8 chunks each: more than one batch holds.
        for number in 1...300 as ClosedRange<UInt32> {
            let part = make.putPart(
                number, of: upload, key: "k", size: 8 * Limits.chunkBytesMax, etag: "p")
            chunks += part.putPart.part.body.chunkIDs
            _ = try store.apply(part)
        }
        let abort = make.range {
            $0.abortUpload.bucket = 1
            $0.abortUpload.key = Data("k".utf8)
            $0.abortUpload.upload = upload
        }
        #expect(try store.apply(abort).failure == .none)
        #expect(try parts(of: upload).failure == .noSuchUpload)
        var handedOut: [Data] = []
        var batches = 0
        while true {
            let row = try #require(try store.garbage().first)
            #expect(row.upload == upload)
            #expect(row.chunks.count <= CatalogueLimits.chunksPerGarbageRowMax + 8)
            handedOut += row.chunks
            batches += 1
            if row.isLastBatch {
                _ = try store.apply(make.range { $0.garbageDone.rows = [row.row] })
                break
            }
            _ = try store.apply(
                make.range {
                    $0.garbagePartsDone.row = row.row
                    $0.garbagePartsDone.upToPart = row.upToPart
                })
        }
        #expect(handedOut == chunks)
        #expect(batches >= 3)
        #expect(try store.garbage().isEmpty)
        #expect(try store.usage().uploadCount == 0)
    }

    @Test mutating func `uploads are listed by key and id, folded by delimiter`() throws {
        var uploads: [(key: String, id: Data)] = []
        for key in ["a/1", "a/1", "a/2", "b", "c/1", "c/2"] {
            uploads.append((key, try begin(key)))
        }
        func list(
            _ fill: (inout ProtoListUploads) -> Void = { _ in }
        ) throws -> ProtoUploadList {
            try store.ask { (query: inout ProtoRangeQuery) in
                query.listUploads.bucket = 1
                query.listUploads.limit = 100
                fill(&query.listUploads)
            }.uploads
        }
        #expect(try Set(list().uploads.map(\.id)) == Set(uploads.map(\.id)))
        // Page by page, one at a time, nothing twice and nothing left out.
        var seen: [Data] = []
        var page = try list { $0.limit = 1 }
        while true {
            seen += page.uploads.map(\.id)
            if !page.isTruncated { break }
            let last = page
            page = try list {
                $0.limit = 1
                $0.afterKey = last.nextAfterKey
                $0.afterUpload = last.nextAfterUpload
            }
        }
        #expect(seen == (try list().uploads.map(\.id)))
        let folded = try list { $0.delimiter = Data("/".utf8) }
        #expect(folded.commonPrefixes == [Data("a/".utf8), Data("c/".utf8)])
        #expect(folded.uploads.map(\.key) == [Data("b".utf8)])
        let after = try list {
            $0.delimiter = Data("/".utf8)
            $0.afterKey = Data("a/".utf8)
        }
        #expect(after.commonPrefixes == [Data("c/".utf8)])
    }
}
