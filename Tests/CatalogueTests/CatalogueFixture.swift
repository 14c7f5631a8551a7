import Core
import Foundation
import Messages
import SwiftProtobuf

@testable import Catalogue

/// A directory of its own for one test.
final class ScratchDirectory: Sendable {
    let path: String

    /// - Parameter isInMemory: Where the machine has such a place: for what is made and thrown away
    ///   a thousand times.
    init(isInMemory: Bool = false) throws {
        let memory = "/dev/shm"
        let base =
            isInMemory && FileManager.default.isWritableFile(atPath: memory)
            ? memory : FileManager.default.temporaryDirectory.path
        path = base + "/catalogue-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { path + "/" + name }
}

/// Makes commands with ids and times of their own.
struct CommandMaker {
    var random: SeededRandom
    var time: Int64 = 1_700_000_000_000

    init(seed: UInt64 = 1) { random = SeededRandom(seed: seed) }

    mutating func range(_ fill: (inout ProtoRangeCommand) -> Void) -> ProtoRangeCommand {
        time += 1
        var command = ProtoRangeCommand()
        command.id = Data(CommandID.random(using: &random).bytes)
        command.timeMs = time
        fill(&command)
        return command
    }

    mutating func system(_ fill: (inout ProtoSystemCommand) -> Void) -> ProtoSystemCommand {
        time += 1
        var command = ProtoSystemCommand()
        command.id = Data(CommandID.random(using: &random).bytes)
        command.timeMs = time
        fill(&command)
        return command
    }

    mutating func chunk() -> Data {
        let partition = PartitionID(rawValue: UInt16(random.next() % 4096))!
        return Data(
            ChunkID(
                partition: partition, born: WallTime(milliseconds: time), using: &random
            ).bytes)
    }

    mutating func chunked(_ size: Int) -> ProtoBody {
        var body = ProtoBody()
        body.chunked.key.kek = 1
        var rest = size
        while rest > 0 {
            let bytes = min(rest, Limits.chunkBytesMax)
            body.chunked.chunks.append(
                .with {
                    $0.id = chunk()
                    $0.bytes = UInt32(bytes)
                })
            rest -= bytes
        }
        return body
    }

    static func inline(_ text: String) -> ProtoBody {
        .with { $0.inline.sealed = Data(text.utf8) }
    }

    static func head(_ size: Int, etag: String) -> ProtoObjectHead {
        .with {
            $0.size = UInt64(size)
            $0.etag = etag
        }
    }

    mutating func put(
        _ key: String, size: Int = 100_000, etag: String = "e", bucket: UInt64 = 1,
        ifMatch: String = "", ifNoneMatch: Bool = false
    ) -> ProtoRangeCommand {
        let body = chunked(size)
        return range {
            $0.putObject.bucket = bucket
            $0.putObject.key = Data(key.utf8)
            $0.putObject.head = Self.head(size, etag: etag)
            $0.putObject.body = body
            $0.putObject.precondition.ifMatch = ifMatch
            $0.putObject.precondition.ifNoneMatchAny = ifNoneMatch
        }
    }

    mutating func putInline(
        _ key: String, _ text: String, etag: String = "e", bucket: UInt64 = 1
    ) -> ProtoRangeCommand {
        range {
            $0.putObject.bucket = bucket
            $0.putObject.key = Data(key.utf8)
            $0.putObject.head = Self.head(text.utf8.count, etag: etag)
            $0.putObject.body = Self.inline(text)
        }
    }

    mutating func raiseFence(to seconds: UInt32) -> ProtoRangeCommand {
        range { $0.raiseSweepFence.beforeS = seconds }
    }

    mutating func delete(_ keys: String..., bucket: UInt64 = 1) -> ProtoRangeCommand {
        range {
            $0.deleteObjects.bucket = bucket
            $0.deleteObjects.keys = keys.map { Data($0.utf8) }
        }
    }

    mutating func createUpload(_ key: String, bucket: UInt64 = 1) -> (ProtoRangeCommand, Data) {
        let id = Data(UploadID.random(using: &random).bytes)
        let command = range {
            $0.createUpload.bucket = bucket
            $0.createUpload.upload.id = id
            $0.createUpload.upload.key = Data(key.utf8)
        }
        return (command, id)
    }

    mutating func putPart(
        _ number: UInt32, of upload: Data, key: String, size: Int, etag: String
    ) -> ProtoRangeCommand {
        let body = chunked(size)
        return range {
            $0.putPart.bucket = 1
            $0.putPart.key = Data(key.utf8)
            $0.putPart.upload = upload
            $0.putPart.part.number = number
            $0.putPart.part.size = UInt64(size)
            $0.putPart.part.etag = etag
            $0.putPart.part.body = body
        }
    }

    mutating func complete(
        _ upload: Data, key: String, parts: [(UInt32, String)], size: Int
    ) -> ProtoRangeCommand {
        range {
            $0.completeUpload.bucket = 1
            $0.completeUpload.key = Data(key.utf8)
            $0.completeUpload.upload = upload
            $0.completeUpload.parts = parts.map { part in
                .with {
                    $0.number = part.0
                    $0.etag = part.1
                }
            }
            $0.completeUpload.head = Self.head(size, etag: "whole")
            $0.completeUpload.head.partCount = UInt32(parts.count)
        }
    }
}

extension CatalogueStore {
    /// Applies one command after the last and answers its result.
    func apply(_ command: ProtoRangeCommand) throws -> ProtoRangeResult {
        let results = try apply([
            CatalogueEntry(index: appliedIndex + 1, payload: command.serializedBytes())
        ])
        return try ProtoRangeResult(serializedBytes: results[0])
    }

    func apply(_ command: ProtoSystemCommand) throws -> ProtoSystemResult {
        let results = try apply([
            CatalogueEntry(index: appliedIndex + 1, payload: command.serializedBytes())
        ])
        return try ProtoSystemResult(serializedBytes: results[0])
    }

    func ask(_ fill: (inout ProtoRangeQuery) -> Void) throws -> ProtoRangeAnswer {
        try ProtoRangeAnswer(
            serializedBytes: answer(ProtoRangeQuery.with(fill).serializedBytes()))
    }

    func ask(_ fill: (inout ProtoSystemQuery) -> Void) throws -> ProtoSystemAnswer {
        try ProtoSystemAnswer(
            serializedBytes: answer(ProtoSystemQuery.with(fill).serializedBytes()))
    }

    func get(_ key: String, bucket: UInt64 = 1, withBody: Bool = true) throws -> ProtoRangeAnswer {
        try ask { (query: inout ProtoRangeQuery) in
            query.getObject.bucket = bucket
            query.getObject.key = Data(key.utf8)
            query.getObject.withBody = withBody
        }
    }

    func list(
        prefix: String = "", delimiter: String = "", after: String = "", limit: UInt32 = 1000,
        bucket: UInt64 = 1
    ) throws -> ProtoObjectList {
        try ask { (query: inout ProtoRangeQuery) in
            query.listObjects.bucket = bucket
            query.listObjects.prefix = Data(prefix.utf8)
            query.listObjects.delimiter = Data(delimiter.utf8)
            query.listObjects.after = Data(after.utf8)
            query.listObjects.limit = limit
        }.objects
    }

    func garbage(olderThan: Int64 = .max) throws -> [ProtoGarbageRow] {
        try ask { (query: inout ProtoRangeQuery) in
            query.listGarbage.olderThanMs = olderThan
        }.garbage.rows
    }

    /// Of `chunks`, those that the range says nothing names; raises the fence first.
    func unnamed(_ chunks: [Data], fence: UInt32 = .max, make: inout CommandMaker) throws -> [Data]
    {
        _ = try apply(make.raiseFence(to: fence))
        return try ask { (query: inout ProtoRangeQuery) in
            query.findUnnamed.chunks = chunks
        }.unnamed.chunks
    }

    func parts(of upload: Data, key: Data) throws -> [ProtoPart] {
        try ask { (query: inout ProtoRangeQuery) in
            query.listParts.bucket = 1
            query.listParts.key = key
            query.listParts.upload = upload
            query.listParts.withBodies = true
        }.parts.parts
    }

    func usage() throws -> ProtoRangeUsageFound {
        try ask { (query: inout ProtoRangeQuery) in query.usage = ProtoRangeUsage() }.usage
    }
}

extension ProtoBody {
    var chunkIDs: [Data] { chunked.chunks.map(\.id) }
}
