import Core
import Foundation
import Messages
import SwiftProtobuf

@testable import Catalogue

let catalogueTargets = [
    FuzzTarget(
        name: "catalogue-range", runCount: 5_000, seeds: CatalogueSeeds.range,
        run: { feed($0, to: ranges) }),
    FuzzTarget(
        name: "catalogue-system", runCount: 5_000, seeds: CatalogueSeeds.system,
        run: { feed($0, to: systems) }),
]

/// A store in memory, empty before each input.
private struct MemoryStore {
    let machine: any StoreMachine
    let connection: SQLiteConnection
    /// Gives a command an id and a time where it has none.
    let complete: ([UInt8], _ number: UInt64) -> [UInt8]?

    init(
        _ machine: any StoreMachine, complete: @escaping ([UInt8], _ number: UInt64) -> [UInt8]?
    ) {
        self.machine = machine
        self.complete = complete
        do {
            connection = try SQLiteConnection(path: ":memory:", mode: .readWrite, cacheKiB: 4096)
            try StoreSchema.create(on: connection, machine: machine, identity: 1)
        } catch {
            preconditionFailure("no store in memory: \(error)")
        }
    }

    /// Rows are fewer than an input has bytes: to delete them is faster than a new store.
    func empty() throws(SQLiteError) {
        var names: [String] = []
        let rows = try connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        while try rows.step() { names.append(rows.text(0)) }
        for name in names { try connection.execute("DELETE FROM \(name)") }
    }
}

private let idBytes = CommandID.byteCount

nonisolated(unsafe) private let ranges = MemoryStore(RangeMachine()) { bytes, number in
    guard var command = try? ProtoRangeCommand(serializedBytes: bytes) else { return nil }
    if command.id.count != idBytes { command.id = Data(CommandID(high: 1, low: number).bytes) }
    return try? command.serializedBytes()
}

nonisolated(unsafe) private let systems = MemoryStore(SystemMachine()) { bytes, number in
    guard var command = try? ProtoSystemCommand(serializedBytes: bytes) else { return nil }
    if command.id.count != idBytes { command.id = Data(CommandID(high: 1, low: number).bytes) }
    return try? command.serializedBytes()
}

/// Commands and questions, one after another. What anybody proposes is applied by every replica,
/// and again after each restart: none may stop one.
private func feed(_ input: [UInt8], to store: MemoryStore) {
    var script = Script(input)
    do throws(SQLiteError) {
        try store.empty()
        try store.connection.execute("BEGIN")
        let writer = try StoreWriter(connection: store.connection)
        var number: UInt64 = 0
        while !script.isEmpty, number < 32 {
            number += 1
            let isQuestion = script.byte() % 4 == 3
            let bytes = script.bytes(Int(script.number(UInt16.self)))
            if isQuestion {
                // As readers see it: after the batch.
                try writer.registers.write(to: store.connection)
                try store.connection.execute("COMMIT")
                let answer = try store.machine.answer(bytes, on: store.connection)
                try store.connection.execute("BEGIN")
                check(isReadable(answer, by: store.machine, isAnswer: true), "an odd answer")
            } else if let command = store.complete(bytes, number) {
                let result = try store.machine.execute(command, in: writer)
                check(isReadable(result, by: store.machine, isAnswer: false), "an odd result")
                let again = try store.machine.execute(command, in: writer)
                check(again == result, "a command that comes again answers something else")
            }
        }
        try writer.registers.write(to: store.connection)
        try store.connection.execute("COMMIT")
    } catch {
        preconditionFailure("a command stops every replica: \(error)")
    }
}

private func isReadable(
    _ bytes: [UInt8], by machine: any StoreMachine, isAnswer: Bool
) -> Bool {
    if machine is RangeMachine {
        return isAnswer
            ? (try? ProtoRangeAnswer(serializedBytes: bytes)) != nil
            : (try? ProtoRangeResult(serializedBytes: bytes)) != nil
    }
    return isAnswer
        ? (try? ProtoSystemAnswer(serializedBytes: bytes)) != nil
        : (try? ProtoSystemResult(serializedBytes: bytes)) != nil
}

private enum CatalogueSeeds {
    private static func step(_ kind: UInt8, _ message: some SwiftProtobuf.Message) -> [UInt8] {
        let bytes: [UInt8] = (try? message.serializedBytes()) ?? []
        return [kind, UInt8(bytes.count & 0xFF), UInt8(bytes.count >> 8)] + bytes
    }

    private static func command(_ fill: (inout ProtoRangeCommand) -> Void) -> [UInt8] {
        step(0, ProtoRangeCommand.with { fill(&$0) })
    }

    private static func question(_ fill: (inout ProtoRangeQuery) -> Void) -> [UInt8] {
        step(3, ProtoRangeQuery.with { fill(&$0) })
    }

    private static let key = Data("key".utf8)
    private static let upload = Data(repeating: 5, count: 16)

    private static let put = command {
        $0.putObject.bucket = 1
        $0.putObject.key = key
        $0.putObject.head.size = 3
        $0.putObject.head.etag = "e"
        $0.putObject.body.inline.sealed = Data(repeating: 1, count: 3 + 16)
    }

    private static let putChunked = command {
        $0.putObject.bucket = 1
        $0.putObject.key = Data("key/2".utf8)
        $0.putObject.head.size = 9000
        $0.putObject.head.etag = "e"
        $0.putObject.body.chunked.key.kek = 1
        $0.putObject.body.chunked.chunks = [
            .with {
                $0.id = Data(repeating: 9, count: 16)
                $0.bytes = 9000
            }
        ]
    }

    private static let startUpload = command {
        $0.createUpload.bucket = 1
        $0.createUpload.upload.id = upload
        $0.createUpload.upload.key = key
    }

    private static let putPart = command {
        $0.putPart.bucket = 1
        $0.putPart.key = key
        $0.putPart.upload = upload
        $0.putPart.part.number = 1
        $0.putPart.part.size = 9000
        $0.putPart.part.etag = "p"
        $0.putPart.part.body.chunked.chunks = [
            .with {
                $0.id = Data(repeating: 8, count: 16)
                $0.bytes = 9000
            }
        ]
    }

    private static let completeUpload = command {
        $0.completeUpload.bucket = 1
        $0.completeUpload.key = key
        $0.completeUpload.upload = upload
        $0.completeUpload.parts = [
            .with {
                $0.number = 1
                $0.etag = "p"
            }
        ]
        $0.completeUpload.head.size = 9000
        $0.completeUpload.head.etag = "m-1"
        $0.completeUpload.head.partCount = 1
    }

    static func range() -> [[UInt8]] {
        let get = question {
            $0.getObject.bucket = 1
            $0.getObject.key = key
            $0.getObject.withBody = true
        }
        let list = question {
            $0.listObjects.bucket = 1
            $0.listObjects.delimiter = Data("/".utf8)
            $0.listObjects.limit = 10
        }
        let parts = question {
            $0.listParts.bucket = 1
            $0.listParts.key = key
            $0.listParts.upload = upload
            $0.listParts.limit = 10
            $0.listParts.withBodies = true
        }
        let read = question {
            $0.readParts.bucket = 1
            $0.readParts.upload = upload
            $0.readParts.offset = 5
            $0.readParts.limit = 10
        }
        let uploads = question {
            $0.listUploads.bucket = 1
            $0.listUploads.limit = 10
        }
        let garbage = question { $0.listGarbage.limit = 10 }
        let delete = command {
            $0.deleteObjects.bucket = 1
            $0.deleteObjects.keys = [key]
        }
        let done = command { $0.garbageDone.rows = [1, 2] }
        let partsDone = command {
            $0.garbagePartsDone.row = 1
            $0.garbagePartsDone.upToPart = 1
        }
        let fence = command { $0.fenceBucket.bucket = 1 }
        let confirm = command { $0.confirmFence.bucket = 1 }
        let sweep = command { $0.raiseSweepFence.beforeS = 7 }
        let head = command {
            $0.replaceHead.bucket = 1
            $0.replaceHead.key = key
            $0.replaceHead.ifEtag = "e"
        }
        return [
            put + get + list + delete + garbage + done, putChunked + putChunked + garbage + done,
            startUpload + putPart + parts + uploads + completeUpload + read + delete + garbage
                + partsDone + done,
            fence + confirm + sweep + put, put + head + get,
        ]
    }

    private static func change(_ fill: (inout ProtoSystemCommand) -> Void) -> [UInt8] {
        step(0, ProtoSystemCommand.with { fill(&$0) })
    }

    static func system() -> [[UInt8]] {
        let node = ProtoNode.with {
            $0.id = Data(repeating: 1, count: 16)
            $0.label = "c1"
            $0.role = .storage
            $0.address = "c1:9000"
        }
        let start = change {
            $0.initialize.cluster = Data(repeating: 2, count: 16)
            $0.initialize.settings.replicationFactor = 1
            $0.initialize.settings.partitionCount = UInt32(PartitionID.count)
            $0.initialize.ranges = [.with { $0.range = 1 }]
        }
        let putNode = change { $0.putNode.node = node }
        let bucket = change {
            $0.createBucket.name = "bucket"
            $0.createBucket.id = 7
        }
        let key = change {
            $0.putAccessKey.key.id = "AK"
            $0.putAccessKey.key.sealedSecret = Data(repeating: 3, count: 40)
        }
        let token = change {
            $0.putJoinToken.token.id = Data(repeating: 4, count: 8)
            $0.putJoinToken.token.secretHash = Data(repeating: 5, count: 32)
            $0.putJoinToken.token.role = .storage
            $0.putJoinToken.token.expiresMs = 1
        }
        let assign = change {
            $0.changePartitions.assign = [
                .with {
                    $0.partition = 1
                    $0.nodes = [node.id]
                }
            ]
        }
        let leave = change {
            $0.setMembership.node = node.id
            $0.setMembership.membership = .left
        }
        let changes = step(3, ProtoSystemQuery.with { $0.getChanges.since = 0 })
        let drop = change { $0.deleteBucket.id = 7 }
        return [
            start + putNode + assign + changes, bucket + drop + changes,
            key + token + changes + putNode + leave + changes,
        ]
    }
}
