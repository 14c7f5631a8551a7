import Core
import Foundation
import Messages

/// One command at work: objects, and the queues that every change feeds. Everything is checked
/// before anything is written.
struct RangeChange {
    let writer: StoreWriter
    /// The proposer's clock.
    let time: Int64

    var connection: SQLiteConnection { writer.connection }
    var named: NamedChunks { NamedChunks(connection: connection) }

    /// What a new object replaces, or a delete removes.
    struct OldHead {
        let size: Int64
        let etag: String
        let kind: RangeBodyKind
        let bodyRow: Int64?
        /// Serialized Body where it is short; else it is in its row.
        let body: [UInt8]?
    }

    // MARK: Objects

    func put(_ command: ProtoPutObject) throws(SQLiteError) -> RangeResult {
        if try isFenced(command.bucket) { return RangeResult(.noSuchBucket) }
        if let failure = tooOld(command.body) { return failure }
        let old = try find(command.bucket, command.key)
        if let failure = refusal(command.precondition, old, missing: .noSuchKey) { return failure }
        try named.add(command.body)
        let head = Self.storedHead(command.head, time: time)
        try replace(
            old, bucket: command.bucket, key: command.key, head: command.head, storedHead: head,
            body: command.body)
        try queueRepairs(command.missing)
        return RangeResult(head: head)
    }

    func delete(_ command: ProtoDeleteObjects) throws(SQLiteError) -> RangeResult {
        if try isFenced(command.bucket) { return RangeResult(.noSuchBucket) }
        if command.hasPrecondition {
            for key in command.keys {
                let old = try find(command.bucket, key)
                let failure = refusal(command.precondition, old, missing: .preconditionFailed)
                if let failure { return failure }
            }
        }
        var garbage: [UInt8] = []
        var count = 0
        for key in command.keys {
            guard let old = try find(command.bucket, key) else { continue }
            count += 1
            try dropBody(of: old, into: &garbage)
            try connection.statement(
                "DELETE FROM heads WHERE bucket = ?1 AND key = ?2 AND version = 0"
            ).bind(1, RangeSchema.column(command.bucket)).bind(2, key).run()
        }
        try queueGarbage(chunks: garbage)
        return RangeResult(deletedCount: count)
    }

    /// New headers and metadata; the body, and all that describes it, stays as the row has it.
    func replaceHead(_ command: ProtoReplaceHead) throws(SQLiteError) -> RangeResult {
        if try isFenced(command.bucket) { return RangeResult(.noSuchBucket) }
        let row = try connection.statement(
            "SELECT head FROM heads WHERE bucket = ?1 AND key = ?2 AND version = 0")
        row.bind(1, RangeSchema.column(command.bucket)).bind(2, command.key)
        defer { row.reset() }
        guard try row.step() else { return RangeResult(.noSuchKey) }
        guard var head = try? ProtoObjectHead(serializedBytes: row.bytes(0)) else {
            throw SQLiteError.damage("a head cannot be decoded")
        }
        guard head.etag == command.ifEtag, head.modifiedMs == command.ifModifiedMs else {
            return RangeResult(.preconditionFailed)
        }
        row.reset()
        head.headers = command.headers
        head.userMetadata = command.userMetadata
        head.modifiedMs = command.modifiedMs
        let stored = Self.storedHead(head, time: time)
        try connection.statement(
            """
            UPDATE heads SET modified = ?3, head = ?4
            WHERE bucket = ?1 AND key = ?2 AND version = 0
            """
        ).bind(1, RangeSchema.column(command.bucket)).bind(2, command.key)
            .bind(3, head.modifiedMs == 0 ? time : head.modifiedMs).bind(4, stored).run()
        return .done
    }

    /// The head as it is kept and answered: with a time.
    static func storedHead(_ head: ProtoObjectHead, time: Int64) -> [UInt8] {
        var head = head
        if head.modifiedMs == 0 { head.modifiedMs = time }
        // Encoding to memory fails for text that is no UTF-8 only, which decoding refused.
        return (try? head.serializedBytes()) ?? []
    }

    func find(_ bucket: UInt64, _ key: Data) throws(SQLiteError) -> OldHead? {
        let row = try connection.statement(
            """
            SELECT size, etag, kind, body_row, body FROM heads
            WHERE bucket = ?1 AND key = ?2 AND version = 0
            """)
        row.bind(1, RangeSchema.column(bucket)).bind(2, key)
        defer { row.reset() }
        guard try row.step() else { return nil }
        return OldHead(
            size: row.integer(0), etag: row.text(1),
            kind: RangeBodyKind(rawValue: row.integer(2)) ?? .inline,
            bodyRow: row.isNothing(3) ? nil : row.integer(3),
            body: row.isNothing(4) ? nil : row.bytes(4))
    }

    /// - Parameter missing: What `If-Match` answers for a key that is not there.
    func refusal(
        _ precondition: ProtoPrecondition, _ old: OldHead?, missing: ProtoCatalogueFailure
    ) -> RangeResult? {
        if precondition.ifNoneMatchAny, old != nil, !Mutation.isOn(.skipIfNoneMatch) {
            return RangeResult(.preconditionFailed)
        }
        if precondition.ifMatch.isEmpty { return nil }
        guard let old else { return RangeResult(missing) }
        if Mutation.isOn(.skipIfMatch) { return nil }
        return precondition.ifMatch == "*" || precondition.ifMatch == old.etag
            ? nil : RangeResult(.preconditionFailed)
    }

    /// Writes the head and body, and leaves what was there before to the garbage queue.
    func replace(
        _ old: OldHead?, bucket: UInt64, key: Data, head: ProtoObjectHead, storedHead: [UInt8],
        body: ProtoBody
    ) throws(SQLiteError) {
        if let old {
            var garbage: [UInt8] = []
            try dropBody(of: old, into: &garbage)
            if Mutation.isOn(.overwriteLeaksChunks) { garbage = [] }
            if Mutation.isOn(.overwriteQueuesNewChunks) {
                garbage = body.chunked.chunks.flatMap { Array($0.id) }
            }
            try queueGarbage(chunks: garbage)
        }
        let bytes: [UInt8] = (try? body.serializedBytes()) ?? []
        let kind = Self.kind(of: body)
        let isShort = kind != .inline && bytes.count <= CatalogueLimits.bodyInHeadBytesMax
        let insert = try connection.statement(
            """
            INSERT OR REPLACE INTO heads (
                bucket, key, version, size, modified, etag, checksum, kind, body_row, head, body
            ) VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
            """)
        insert.bind(1, RangeSchema.column(bucket)).bind(2, key).bind(3, Int64(head.size))
            .bind(4, head.modifiedMs == 0 ? time : head.modifiedMs).bind(5, head.etag)
            .bind(6, Self.column(head.checksum)).bind(7, kind.rawValue).bind(9, storedHead)
        if isShort {
            insert.bindNothing(8).bind(10, bytes)
        } else {
            insert.bind(8, writer.registers.next(.lastBody)).bindNothing(10)
        }
        try insert.run()
        if !isShort {
            try connection.statement("INSERT INTO bodies (row, body) VALUES (?1, ?2)")
                .bind(1, writer.registers[.lastBody]).bind(2, bytes).run()
        }
        writer.registers[.objectCount] += 1
        writer.registers[.objectBytes] += Int64(head.size)
    }

    static func kind(of body: ProtoBody) -> RangeBodyKind {
        switch body.kind {
        case .chunked: .chunked
        case .multipart: .multipart
        case .inline, nil: .inline
        }
    }

    private static func column(_ checksum: ProtoObjectChecksum) -> Int64 {
        Int64(checksum.algorithm.rawValue) << 1 | (checksum.isComposite ? 1 : 0)
    }

    /// Removes the body's own row and counts the object out; chunks are added to `garbage`, an
    /// upload's parts are queued.
    private func dropBody(of old: OldHead, into garbage: inout [UInt8]) throws(SQLiteError) {
        writer.registers[.objectCount] -= 1
        writer.registers[.objectBytes] -= Mutation.isOn(.usageKeepsRemoved) ? 0 : old.size
        if old.kind != .inline {
            let body = try ProtoBody(stored: old, on: connection)
            switch body.kind {
            case .chunked(let chunked): for chunk in chunked.chunks { garbage += chunk.id }
            case .multipart(let multipart): try queueGarbage(upload: multipart.upload)
            case .inline, nil: break
            }
        }
        if let row = old.bodyRow {
            try connection.statement("DELETE FROM bodies WHERE row = ?1").bind(1, row).run()
        }
    }

    // MARK: Queues

    func queueGarbage(chunks: [UInt8]) throws(SQLiteError) {
        let rowBytes = CatalogueLimits.chunksPerGarbageRowMax * ChunkID.byteCount
        var start = 0
        while start < chunks.count {
            let end = min(chunks.count, start + rowBytes)
            try connection.statement(
                "INSERT INTO garbage (row, queued, chunks) VALUES (?1, ?2, ?3)"
            ).bind(1, writer.registers.next(.lastRow)).bind(2, time)
                .bind(3, Array(chunks[start..<end])).run()
            writer.registers[.garbageCount] += 1
            start = end
        }
    }

    /// All parts that the upload has, now that nothing names it.
    func queueGarbage(upload: Data) throws(SQLiteError) {
        try connection.statement("INSERT INTO garbage (row, queued, upload) VALUES (?1, ?2, ?3)")
            .bind(1, writer.registers.next(.lastRow)).bind(2, time).bind(3, upload).run()
        writer.registers[.garbageCount] += 1
    }

    func queueRepairs(_ missing: [ProtoMissingCopy]) throws(SQLiteError) {
        for copy in missing {
            try connection.statement("INSERT INTO repairs (row, chunk, node) VALUES (?1, ?2, ?3)")
                .bind(1, writer.registers.next(.lastRow)).bind(2, copy.chunk).bind(3, copy.node)
                .run()
            writer.registers[.repairCount] += 1
        }
    }
}

extension ProtoBody {
    /// The body that a head names.
    fileprivate init(
        stored head: RangeChange.OldHead, on connection: SQLiteConnection
    ) throws(SQLiteError) {
        var bytes = head.body ?? []
        if let row = head.bodyRow {
            let found = try connection.statement("SELECT body FROM bodies WHERE row = ?1")
            found.bind(1, row)
            if try found.step() { bytes = found.bytes(0) }
            found.reset()
        }
        guard let body = try? ProtoBody(serializedBytes: bytes) else {
            throw SQLiteError.damage("a body cannot be decoded")
        }
        self = body
    }
}
