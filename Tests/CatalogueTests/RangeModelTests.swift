import Core
import Foundation
import Messages
import SwiftProtobuf
import Testing

@testable import Catalogue

/// Random commands, some of them twice, against a dictionary; and three replicas that get the same
/// log in other batches, through snapshots and restarts, and must end with the same bytes.
struct RangeModelTests {
    private struct Model {
        var objects: [Data: (etag: String, size: Int)] = [:]
    }

    /// A short random log, and what the results must be for puts and deletes.
    private static func log(seed: UInt64, count: Int) -> [ProtoRangeCommand] {
        var make = CommandMaker(seed: seed)
        var commands: [ProtoRangeCommand] = []
        var uploads: [(key: String, id: Data, parts: [UInt32: String])] = []
        for number in 0..<count {
            let key = "k\(Int.random(in: 0..<20, using: &make.random))"
            switch Int.random(in: 0..<10, using: &make.random) {
            case 0...2: commands.append(make.put(key, etag: "e\(number)"))
            case 3:
                commands.append(make.putInline(key, "text \(number)", etag: "e\(number)"))
            case 4:
                let other = "k\(Int.random(in: 0..<20, using: &make.random))"
                commands.append(make.delete(key, other))
            case 5: commands.append(make.put(key, etag: "e\(number)", ifNoneMatch: true))
            case 6:
                let (command, upload) = make.createUpload(key)
                commands.append(command)
                uploads.append((key, upload, [:]))
            case 7 where !uploads.isEmpty:
                let index = Int.random(in: 0..<uploads.count, using: &make.random)
                let part = UInt32.random(in: 1...3, using: &make.random)
                uploads[index].parts[part] = "p\(number)"
                commands.append(
                    make.putPart(
                        part, of: uploads[index].id, key: uploads[index].key,
                        size: Limits.partBytesMin, etag: "p\(number)"))
            case 8 where !uploads.isEmpty:
                let index = Int.random(in: 0..<uploads.count, using: &make.random)
                let upload = uploads.remove(at: index)
                if Int.random(in: 0..<4, using: &make.random) == 0 {
                    commands.append(
                        make.range {
                            $0.abortUpload.bucket = 1
                            $0.abortUpload.key = Data(upload.key.utf8)
                            $0.abortUpload.upload = upload.id
                        })
                    continue
                }
                let parts = upload.parts.sorted { $0.key < $1.key }
                commands.append(
                    make.complete(
                        upload.id, key: upload.key, parts: parts.map { ($0.key, $0.value) },
                        size: parts.count * Limits.partBytesMin))
            case 9 where !commands.isEmpty:
                let index = Int.random(in: 0..<commands.count, using: &make.random)
                commands.append(commands[index])
            default:
                let row = UInt64.random(in: 1...40, using: &make.random)
                commands.append(make.range { $0.garbageDone.rows = [row] })
            }
        }
        return commands
    }

    private static func apply(_ command: ProtoRangeCommand, to model: inout Model) {
        switch command.kind {
        case .putObject(let put):
            if put.precondition.ifNoneMatchAny, model.objects[put.key] != nil { return }
            model.objects[put.key] = (put.head.etag, Int(put.head.size))
        case .deleteObjects(let delete):
            for key in delete.keys { model.objects[key] = nil }
        case .completeUpload(let complete) where !complete.parts.isEmpty:
            model.objects[complete.key] = (complete.head.etag, Int(complete.head.size))
        default: break
        }
    }

    @Test(arguments: 0..<12 as Range<UInt64>)
    func `agrees with a dictionary, however often commands come`(seed: UInt64) throws {
        let scratch = try ScratchDirectory()
        let store = try RangeStore.open(
            path: scratch.file("range"), range: RangeID(rawValue: 1))
        var model = Model()
        var seen: [Data: ProtoRangeResult] = [:]
        for command in Self.log(seed: seed, count: 250) {
            let result = try store.apply(command)
            if let first = seen[command.id] {
                #expect(result == first, "seed \(seed)")
                continue
            }
            seen[command.id] = result
            Self.apply(command, to: &model)
        }
        let listed = try store.list().objects
        #expect(
            listed.map(\.key)
                == model.objects.keys.sorted { $0.lexicographicallyPrecedes($1) })
        for row in listed { #expect(row.etag == model.objects[row.key]?.etag, "seed \(seed)") }
        let usage = try store.usage()
        #expect(Int(usage.objectCount) == model.objects.count)
        #expect(Int(usage.objectBytes) == model.objects.values.reduce(0) { $0 + $1.size })
        try Self.expectEveryChunkOnce(store, seed: seed)
        try Self.expectWhatIsNamed(store, Self.log(seed: seed, count: 250), seed: seed)
    }

    /// Of all chunks that were ever spoken of, those that no row names are known as such, and no
    /// others.
    private static func expectWhatIsNamed(
        _ store: RangeStore, _ commands: [ProtoRangeCommand], seed: UInt64
    ) throws {
        var ever: Set<Data> = []
        for command in commands {
            ever.formUnion(command.putObject.body.chunkIDs)
            ever.formUnion(command.putPart.part.body.chunkIDs)
        }
        var named: Set<Data> = []
        for row in try store.list().objects {
            let body = try store.get(String(decoding: row.key, as: UTF8.self)).object.body
            named.formUnion(body.chunkIDs)
            if case .multipart(let multipart) = body.kind {
                for part in try store.parts(of: multipart.upload, key: row.key) {
                    named.formUnion(part.body.chunkIDs)
                }
            }
        }
        let uploads = try store.ask { (query: inout ProtoRangeQuery) in
            query.listUploads.bucket = 1
            query.listUploads.limit = 1_000
        }.uploads.uploads
        for upload in uploads {
            for part in try store.parts(of: upload.id, key: upload.key) {
                named.formUnion(part.body.chunkIDs)
            }
        }
        for row in try store.garbage() { named.formUnion(row.chunks) }
        #expect(named.isSubset(of: ever))
        var make = CommandMaker(seed: seed &+ 1_000)
        make.time += 1_000_000
        let unnamed = try store.unnamed(Array(ever), make: &make)
        #expect(Set(unnamed) == ever.subtracting(named), "seed \(seed)")
    }

    /// A chunk is named by an object, by a part, or by the garbage queue; never by two of them.
    private static func expectEveryChunkOnce(
        _ store: RangeStore, seed: UInt64
    ) throws {
        var named: [Data] = []
        var wholeUploads: Set<Data> = []
        for row in try store.list().objects {
            let body = try store.ask { (query: inout ProtoRangeQuery) in
                query.getObject.bucket = 1
                query.getObject.key = row.key
                query.getObject.withBody = true
            }.object.body
            named += body.chunkIDs
            if case .multipart(let multipart) = body.kind { wholeUploads.insert(multipart.upload) }
        }
        for row in try store.garbage() {
            named += row.chunks
            #expect(!wholeUploads.contains(row.upload), "seed \(seed)")
        }
        #expect(Set(named).count == named.count, "seed \(seed)")
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func `replicas end with the same content, however the log is cut`(seed: UInt64) throws {
        let scratch = try ScratchDirectory()
        var random = SeededRandom(seed: seed &+ 99)
        let entries = try Self.log(seed: seed, count: 400).enumerated().map {
            CatalogueEntry(
                index: UInt64($0 + 1),
                payload: $0 % 17 == 0 ? [] : try $1.serializedBytes())
        }
        let range = RangeID(rawValue: 1)
        let one = try RangeStore.open(path: scratch.file("one"), range: range)
        var results: [[UInt8]] = []
        for entry in entries { results += try one.apply([entry]) }
        let all = try RangeStore.open(path: scratch.file("all"), range: range)
        #expect(try all.apply(entries) == results)
        var path = scratch.file("some")
        var some = try RangeStore.open(path: path, range: range)
        var position = 0
        while position < entries.count {
            let end = min(entries.count, position + Int.random(in: 1...50, using: &random))
            let batch = Array(entries[position..<end])
            #expect(try some.apply(batch) == Array(results[position..<end]), "seed \(seed)")
            position = end
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                some.close()
                some = try RangeStore.open(path: path, range: range)
            case 1:
                _ = try some.writeSnapshot(to: scratch.file("snapshot"))
                path = scratch.file("some\(position)")
                some = try RangeStore.open(path: path, range: range)
                _ = try some.install(snapshot: scratch.file("snapshot"))
            case 2: #expect(try some.checkpoint() == UInt64(position))
            default: break
            }
            #expect(some.appliedIndex == UInt64(position))
        }
        #expect(try all.contentDigest() == one.contentDigest(), "seed \(seed)")
        #expect(try some.contentDigest() == one.contentDigest(), "seed \(seed)")
    }
}
