import Core
import Foundation
import Messages

/// The rules of a range of the object index: decodes, checks limits, remembers commands; what each
/// command does is in the files beside this one.
struct RangeMachine: StoreMachine {
    let applicationID: Int64 = 0x4453_5452  // "DSTR"
    let schemaVersion: Int64 = 2
    let schema = RangeSchema.tables
    let largeTables: Set<String> = [
        "heads", "bodies", "parts", "layouts", "named", "commands",
    ]

    /// Version 1 had no table of the chunks that are named.
    func upgrade(from version: Int64, _ connection: SQLiteConnection) throws(SQLiteError) -> Bool {
        guard version == 1 else { return false }
        try NamedChunks(connection: connection).makeFromRows()
        return true
    }

    func execute(_ payload: [UInt8], in writer: StoreWriter) throws(SQLiteError) -> [UInt8] {
        guard let command = try? ProtoRangeCommand(serializedBytes: payload),
            command.id.count == CommandID.byteCount, let kind = command.kind,
            (0...CatalogueLimits.timeMillisecondsMax).contains(command.timeMs)
        else { return RangeResult(.invalidCommand, "the command cannot be decoded").bytes }
        if let broken = RangeLimits.broken(by: kind) {
            return RangeResult(.invalidCommand, broken).bytes
        }
        switch try CommandLedger.find(time: command.timeMs, id: command.id, in: writer) {
        case .applied where Mutation.isOn(.applyTwice):
            return try perform(kind, time: command.timeMs, in: writer).bytes
        case .applied(let result): return RangeResult.repeated(result, of: kind, command).bytes
        case .forgotten:
            return RangeResult(.invalidCommand, "the command is older than the ledger").bytes
        case .new: break
        }
        let result = try perform(kind, time: command.timeMs, in: writer)
        try CommandLedger.add(
            time: command.timeMs, id: command.id, result: result.remembered, in: writer)
        return result.bytes
    }

    private func perform(
        _ kind: ProtoRangeCommand.OneOf_Kind, time: Int64, in writer: StoreWriter
    ) throws(SQLiteError) -> RangeResult {
        let change = RangeChange(writer: writer, time: time)
        switch kind {
        case .putObject(let command): return try change.put(command)
        case .deleteObjects(let command): return try change.delete(command)
        case .createUpload(let command): return try change.createUpload(command)
        case .putPart(let command): return try change.putPart(command)
        case .completeUpload(let command): return try change.complete(command)
        case .abortUpload(let command): return try change.abort(command)
        case .fenceBucket(let command): return try change.fence(command)
        case .confirmFence(let command): return try change.confirmFence(command)
        case .garbageDone(let command): return try change.garbageDone(command)
        case .garbagePartsDone(let command): return try change.garbagePartsDone(command)
        case .repairDone(let command): return try change.repairDone(command)
        case .replaceHead(let command): return try change.replaceHead(command)
        case .raiseSweepFence(let command): return change.raiseSweepFence(command)
        }
    }

    func answer(_ query: [UInt8], on connection: SQLiteConnection) throws(SQLiteError) -> [UInt8] {
        guard let query = try? ProtoRangeQuery(serializedBytes: query), let kind = query.kind else {
            return RangeReader.failure(.invalidCommand, "the question cannot be decoded")
        }
        return try RangeReader(connection: connection).answer(kind)
    }
}

/// A result, in the form that goes back and the shorter one that the ledger keeps.
struct RangeResult {
    private let message: ProtoRangeResult
    /// Serialized ObjectHead.
    private let head: [UInt8]?

    init(_ failure: ProtoCatalogueFailure, _ detail: String = "") {
        message = ProtoRangeResult.with {
            $0.failure = failure
            $0.detail = detail
        }
        head = nil
    }

    /// - Parameter head: Serialized ObjectHead, as stored.
    init(head: [UInt8]) {
        message = ProtoRangeResult()
        self.head = head
    }

    init(deletedCount: Int) {
        message = ProtoRangeResult.with { $0.deletedCount = UInt32(deletedCount) }
        head = nil
    }

    static var done: RangeResult { RangeResult(.none) }

    private init(message: ProtoRangeResult, head: [UInt8]?) {
        self.message = message
        self.head = head
    }

    var bytes: [UInt8] {
        guard let head else { return remembered }
        var writer = ProtoWriter(capacity: head.count + 8)
        writer.message(3, head)
        return writer.bytes
    }

    /// Without the head: it is made from the command again. Empty for most commands.
    var remembered: [UInt8] {
        // Encoding a message of numbers and text to memory does not fail.
        (try? message.serializedBytes()) ?? []
    }

    /// The first result of a command that comes again.
    static func repeated(
        _ remembered: [UInt8], of kind: ProtoRangeCommand.OneOf_Kind, _ command: ProtoRangeCommand
    ) -> RangeResult {
        let message = (try? ProtoRangeResult(serializedBytes: remembered)) ?? ProtoRangeResult()
        guard message.failure == .none else { return RangeResult(message: message, head: nil) }
        let head: [UInt8]? =
            switch kind {
            case .putObject(let put): RangeChange.storedHead(put.head, time: command.timeMs)
            case .completeUpload(let complete):
                RangeChange.storedHead(complete.head, time: command.timeMs)
            default: nil
            }
        return RangeResult(message: message, head: head)
    }
}
