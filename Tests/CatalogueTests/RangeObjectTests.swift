import Core
import Foundation
import Messages
import Testing

@testable import Catalogue

/// Objects in a range, command by command.
struct RangeObjectTests {
    private let scratch: ScratchDirectory
    private let store: RangeStore
    private var make = CommandMaker()

    init() throws {
        scratch = try ScratchDirectory()
        store = try RangeStore.open(path: scratch.file("range"), range: RangeID(rawValue: 1))
    }

    @Test mutating func `what was put is found, head and body`() throws {
        let command = make.put("a/b", size: 20 << 20, etag: "x")
        let result = try store.apply(command)
        #expect(result.failure == .none)
        #expect(result.head.modifiedMs == command.timeMs)
        let found = try store.get("a/b").object
        #expect(found.head == result.head)
        #expect(found.body == command.putObject.body)
        #expect(try store.get("a/b", withBody: false).object.hasBody == false)
        #expect(try store.get("a").failure == .noSuchKey)
        #expect(try store.get("a/b", bucket: 2).failure == .noSuchKey)
    }

    @Test mutating func `new metadata leaves the body where it is`() throws {
        let body = make.chunked(300 << 20)
        let put = make.range {
            $0.putObject.bucket = 1
            $0.putObject.key = Data("k".utf8)
            $0.putObject.head = CommandMaker.head(300 << 20, etag: "x")
            $0.putObject.head.checksum.value = Data([1, 2, 3, 4])
            $0.putObject.body = body
        }
        let stored = try store.apply(put).head
        func replace(_ make: inout CommandMaker, etag: String, key: String = "k")
            -> ProtoRangeCommand
        {
            make.range {
                $0.replaceHead.bucket = 1
                $0.replaceHead.key = Data(key.utf8)
                $0.replaceHead.ifEtag = etag
                $0.replaceHead.ifModifiedMs = stored.modifiedMs
                $0.replaceHead.modifiedMs = stored.modifiedMs + 7
                $0.replaceHead.userMetadata = [.with { $0.name = "a" }]
            }
        }
        let usage = try store.usage()
        #expect(try store.apply(replace(&make, etag: "y")).failure == .preconditionFailed)
        #expect(try store.apply(replace(&make, etag: "x", key: "z")).failure == .noSuchKey)
        #expect(try store.get("k").object.head == stored)
        let change = replace(&make, etag: "x")
        #expect(try store.apply(change).failure == .none)
        // The row has another time now.
        #expect(try store.apply(replace(&make, etag: "x")).failure == .preconditionFailed)
        #expect(try store.apply(change).failure == .none)
        let found = try store.get("k").object
        #expect(found.body == body)
        #expect(
            found.head
                == ProtoObjectHead.with {
                    $0 = stored
                    $0.modifiedMs += 7
                    $0.userMetadata = change.replaceHead.userMetadata
                })
        #expect(try store.list().objects.map(\.modifiedMs) == [found.head.modifiedMs])
        #expect(try store.garbage().isEmpty)
        #expect(try store.usage() == usage)
        _ = try store.apply(make.delete("k"))
        #expect(try store.garbage().flatMap(\.chunks) == body.chunkIDs)
        let fence = make.range { $0.fenceBucket.bucket = 1 }
        #expect(try store.apply(fence).failure == .none)
        #expect(try store.apply(replace(&make, etag: "x")).failure == .noSuchBucket)
    }

    @Test mutating func `inline bodies of any size come back, the empty one too`() throws {
        for size in [0, 1, 255, 256, 4096, Limits.inlineBytesMax] {
            let text = String(repeating: "x", count: size)
            #expect(try store.apply(make.putInline("k\(size)", text)).failure == .none)
            let found = try store.get("k\(size)").object
            #expect(found.body.inline.sealed == Data(text.utf8))
            #expect(found.hasBody)
        }
        #expect(try store.garbage().isEmpty)
    }

    @Test mutating func `names that Unicode folds together are different keys`() throws {
        let composed = "caf\u{E9}"
        let decomposed = "cafe\u{301}"
        #expect(composed == decomposed)
        _ = try store.apply(make.putInline(composed, "1"))
        _ = try store.apply(make.putInline(decomposed, "2"))
        #expect(try store.get(composed).object.body.inline.sealed == Data("1".utf8))
        #expect(try store.usage().objectCount == 2)
    }

    @Test mutating func `an overwritten body goes to the garbage in the same commit`() throws {
        let first = make.put("k", size: 20 << 20)
        _ = try store.apply(first)
        let second = make.put("k")
        _ = try store.apply(second)
        let garbage = try store.garbage()
        #expect(garbage.flatMap(\.chunks) == first.putObject.body.chunkIDs)
        #expect(garbage.allSatisfy { $0.isLastBatch && $0.queuedMs == second.timeMs })
        #expect(try store.garbage(olderThan: second.timeMs).isEmpty)
        let rows = garbage.map(\.row)
        _ = try store.apply(make.range { $0.garbageDone.rows = rows + [99] })
        #expect(try store.garbage().isEmpty)
        #expect(try store.usage().garbageCount == 0)
    }

    @Test mutating func `preconditions are checked when the command is applied`() throws {
        #expect(try store.apply(make.put("k", ifMatch: "e1")).failure == .noSuchKey)
        #expect(try store.apply(make.put("k", etag: "e1", ifNoneMatch: true)).failure == .none)
        #expect(try store.apply(make.put("k", ifNoneMatch: true)).failure == .preconditionFailed)
        #expect(try store.apply(make.put("k", ifMatch: "e2")).failure == .preconditionFailed)
        #expect(try store.apply(make.put("k", etag: "e2", ifMatch: "e1")).failure == .none)
        #expect(try store.apply(make.put("k", etag: "e3", ifMatch: "*")).failure == .none)
        #expect(try store.get("k").object.head.etag == "e3")
        var delete = make.delete("k")
        delete.deleteObjects.precondition.ifMatch = "e2"
        #expect(try store.apply(delete).failure == .preconditionFailed)
        delete = make.delete("k")
        delete.deleteObjects.precondition.ifMatch = "e3"
        #expect(try store.apply(delete).deletedCount == 1)
    }

    @Test mutating func `a delete counts what was there and queues its chunks`() throws {
        let put = make.put("a")
        _ = try store.apply(put)
        _ = try store.apply(make.putInline("b", "text"))
        let result = try store.apply(make.delete("a", "b", "c", "a"))
        #expect(result.deletedCount == 2)
        #expect(try store.garbage().flatMap(\.chunks) == put.putObject.body.chunkIDs)
        let usage = try store.usage()
        #expect(usage.objectCount == 0)
        #expect(usage.objectBytes == 0)
    }

    @Test mutating func `missing copies are queued with the object that names them`() throws {
        var put = make.put("a")
        let node = Data(NodeID.random(using: &make.random).bytes)
        put.putObject.missing = [
            .with {
                $0.chunk = put.putObject.body.chunkIDs[0]
                $0.node = node
            }
        ]
        _ = try store.apply(put)
        let repairs = try store.ask { (query: inout ProtoRangeQuery) in
            query.listRepairs.limit = 10
        }.repairs.rows
        #expect(repairs.map(\.chunk) == put.putObject.body.chunkIDs)
        #expect(repairs.map(\.node) == [node])
        _ = try store.apply(make.range { $0.repairDone.rows = repairs.map(\.row) })
        #expect(try store.usage().repairCount == 0)
    }

    @Test mutating func `a command that comes twice is applied once and answers the same`() throws {
        let put = make.put("k", etag: "1", ifNoneMatch: true)
        let first = try store.apply(put)
        let delete = make.delete("k")
        let deleted = try store.apply(delete)
        let usage = try store.usage()
        #expect(try store.apply(put) == first)
        #expect(try store.apply(delete) == deleted)
        #expect(try store.get("k").failure == .noSuchKey)
        #expect(try store.usage() == usage)
        // A refusal is remembered too.
        let refused = make.put("k", ifMatch: "*")
        #expect(try store.apply(refused).failure == .noSuchKey)
        _ = try store.apply(make.put("k"))
        #expect(try store.apply(refused).failure == .noSuchKey)
    }

    @Test mutating func `a fence stands only where nothing is, and then for ever`() throws {
        _ = try store.apply(make.put("k", bucket: 7))
        #expect(
            try store.apply(make.range { $0.fenceBucket.bucket = 7 }).failure == .bucketNotEmpty)
        _ = try store.apply(make.delete("k", bucket: 7))
        let (create, _) = make.createUpload("k", bucket: 7)
        _ = try store.apply(create)
        #expect(
            try store.apply(make.range { $0.fenceBucket.bucket = 7 }).failure == .bucketNotEmpty)
        var abort = make.range { $0.abortUpload.bucket = 7 }
        abort.abortUpload.key = Data("k".utf8)
        abort.abortUpload.upload = create.createUpload.upload.id
        #expect(try store.apply(abort).failure == .none)
        #expect(try store.apply(make.range { $0.fenceBucket.bucket = 7 }).failure == .none)
        #expect(try store.apply(make.range { $0.fenceBucket.bucket = 7 }).failure == .none)
        #expect(try store.apply(make.put("k", bucket: 7)).failure == .noSuchBucket)
        #expect(try store.get("k", bucket: 7).failure == .noSuchBucket)
        func fences() throws -> [UInt64] {
            try store.ask { (query: inout ProtoRangeQuery) in query.listFences.limit = 5 }
                .fences.buckets
        }
        #expect(try fences() == [7])
        #expect(try store.apply(make.range { $0.confirmFence.bucket = 7 }).failure == .none)
        #expect(try store.apply(make.range { $0.confirmFence.bucket = 8 }).failure == .noSuchBucket)
        #expect(try fences().isEmpty)
        #expect(try store.apply(make.put("k", bucket: 7)).failure == .noSuchBucket)
    }

    @Test mutating func `what breaks a limit is an invalid command, never a trap`() throws {
        var commands = [make.range { _ in }, make.put("")]
        commands.append(make.put(String(repeating: "k", count: 1025)))
        commands.append(make.range { $0.putObject.key = Data("no body".utf8) })
        var bad = make.put("k")
        bad.putObject.body.chunked.chunks[0].bytes += 1
        commands.append(bad)
        bad = make.put("k")
        bad.putObject.body.chunked.chunks[0].id = Data([1, 2, 3])
        commands.append(bad)
        bad = make.put("k")
        bad.putObject.head.size = .max
        commands.append(bad)
        bad = make.put("k")
        bad.timeMs = -1
        commands.append(bad)
        bad = make.put("k")
        bad.id = Data(repeating: 0, count: 15)
        commands.append(bad)
        commands.append(make.range { $0.garbageDone.rows = [.max] })
        commands.append(make.range { $0.deleteObjects.bucket = 1 })
        commands.append(make.range { $0.putPart.part.number = 10_001 })
        for command in commands {
            #expect(try store.apply(command).failure == .invalidCommand)
        }
        let noise = try store.apply([
            CatalogueEntry(index: store.appliedIndex + 1, payload: [0xFF, 0xFF, 0xFF])
        ])
        #expect(try ProtoRangeResult(serializedBytes: noise[0]).failure == .invalidCommand)
        let answer = try store.answer([0xFF])
        #expect(try ProtoRangeAnswer(serializedBytes: answer).failure == .invalidCommand)
        #expect(try store.usage() == ProtoRangeUsageFound())
    }
}
