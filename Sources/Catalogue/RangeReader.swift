import Core
import Foundation
import Messages

/// Answers questions about a range from one committed state.
struct RangeReader {
    let connection: SQLiteConnection

    func answer(_ query: ProtoRangeQuery.OneOf_Kind) throws(SQLiteError) -> [UInt8] {
        // One statement sees one state by itself; several need a transaction around them.
        if case .getObject(let query) = query, let found = try object(query) { return found }
        try connection.statement("BEGIN").run()
        defer { try? connection.statement("COMMIT").run() }
        switch query {
        case .getObject(let query):
            if let found = try object(query) { return found }
            return try missing(.noSuchKey, in: query.bucket)
        case .listObjects(let query): return try objects(query)
        case .getUpload(let query): return try upload(query)
        case .listParts(let query): return try parts(query)
        case .readParts(let query): return try parts(query)
        case .listUploads(let query): return try uploads(query)
        case .listGarbage(let query): return try garbage(query)
        case .listRepairs(let query): return try repairs(query)
        case .listFences(let query): return try fences(query)
        case .usage: return try usage()
        case .findUnnamed(let query): return try unnamed(query)
        }
    }

    static func failure(_ failure: ProtoCatalogueFailure, _ detail: String = "") -> [UInt8] {
        bytes {
            $0.failure = failure
            $0.detail = detail
        }
    }

    static func bytes(_ fill: (inout ProtoRangeAnswer) -> Void) -> [UInt8] {
        // Encoding to memory fails for text that is no UTF-8 only, which decoding refused.
        (try? ProtoRangeAnswer.with(fill).serializedBytes()) ?? []
    }

    /// A fenced bucket is empty, so only answers that found nothing need to look.
    func missing(
        _ failure: ProtoCatalogueFailure, in bucket: UInt64
    ) throws(SQLiteError) -> [UInt8] {
        Self.failure(try isFenced(bucket) ? .noSuchBucket : failure)
    }

    func isFenced(_ bucket: UInt64) throws(SQLiteError) -> Bool {
        let row = try connection.statement("SELECT 1 FROM fences WHERE bucket = ?1")
        row.bind(1, RangeSchema.column(bucket))
        defer { row.reset() }
        return try row.step()
    }

    // MARK: Objects

    private func object(_ query: ProtoGetObject) throws(SQLiteError) -> [UInt8]? {
        if !query.withBody {
            let row = try connection.statement(
                "SELECT head FROM heads WHERE bucket = ?1 AND key = ?2 AND version = 0")
            row.bind(1, RangeSchema.column(query.bucket)).bind(2, query.key)
            defer { row.reset() }
            guard try row.step() else { return nil }
            return row.withBytes(0) { head in
                var found = ProtoWriter(capacity: head.count + 12)
                found.varint(3 << 3 | 2)
                found.varint(UInt64(ProtoWriter.size(field: 1, count: head.count)))
                found.message(1, head)
                return found.bytes
            }
        }
        let row = try connection.statement(
            """
            SELECT heads.head, heads.body, bodies.body FROM heads
            LEFT JOIN bodies ON bodies.row = heads.body_row
            WHERE heads.bucket = ?1 AND heads.key = ?2 AND heads.version = 0
            """)
        row.bind(1, RangeSchema.column(query.bucket)).bind(2, query.key)
        defer { row.reset() }
        guard try row.step() else { return nil }
        return row.withBytes(0) { head in
            row.withBytes(row.isNothing(1) ? 2 : 1) { body in
                var found = ProtoWriter(capacity: head.count + body.count + 16)
                found.varint(3 << 3 | 2)
                found.varint(
                    UInt64(
                        ProtoWriter.size(field: 1, count: head.count)
                            + ProtoWriter.size(field: 2, count: body.count)))
                found.message(1, head)
                found.message(2, body)
                return found.bytes
            }
        }
    }

    private func objects(_ query: ProtoListObjects) throws(SQLiteError) -> [UInt8] {
        var scan = KeyScan(
            prefix: Array(query.prefix), delimiter: Array(query.delimiter),
            limit: min(Int(query.limit), CatalogueLimits.entriesPerAnswerMax))
        var list = ProtoWriter(capacity: scan.limit * 96 + 64)
        var groups = ProtoWriter()
        var last: [UInt8] = []
        var row = ProtoWriter(capacity: 256)
        try scan.run(from: scan.start(after: Array(query.after))) {
            (key: [UInt8]) throws(SQLiteError) -> SQLiteStatement in
            try connection.statement(
                """
                SELECT key, size, etag, modified, checksum FROM heads
                WHERE bucket = ?1 AND key >= ?2 ORDER BY key
                """
            ).bind(1, RangeSchema.column(query.bucket)).bind(2, key)
        } entry: { found in
            row.clear()
            found.withBytes(0) {
                row.blob(1, $0)
                last.replaceSubrange(0..<last.count, with: $0)
            }
            row.number(2, UInt64(bitPattern: found.integer(1)))
            found.withBytes(2) { row.blob(3, $0) }
            row.number(4, UInt64(bitPattern: found.integer(3)))
            let checksum = UInt64(bitPattern: found.integer(4))
            row.number(5, checksum >> 1)
            row.number(6, checksum & 1)
            list.message(1, row.bytes)
        } commonPrefix: { prefix in
            groups.message(2, prefix)
            last = prefix
        }
        if scan.entryCount == 0, try isFenced(query.bucket) { return Self.failure(.noSuchBucket) }
        list.append(groups)
        if scan.isTruncated {
            list.number(3, 1)
            list.blob(4, last)
        }
        var answer = ProtoWriter(capacity: list.bytes.count + 8)
        answer.message(4, list.bytes)
        return answer.bytes
    }

    // MARK: Queues

    private func repairs(_ query: ProtoListRepairs) throws(SQLiteError) -> [UInt8] {
        let rows = try connection.statement(
            "SELECT row, chunk, node FROM repairs WHERE row > ?1 ORDER BY row LIMIT ?2")
        rows.bind(1, Int64(clamping: query.afterRow)).bind(2, Self.limit(query.limit))
        var list = ProtoRepairList()
        while try rows.step() {
            list.rows.append(
                .with {
                    $0.row = UInt64(rows.integer(0))
                    $0.chunk = rows.data(1)
                    $0.node = rows.data(2)
                })
        }
        return Self.bytes { $0.repairs = list }
    }

    private func fences(_ query: ProtoListFences) throws(SQLiteError) -> [UInt8] {
        let rows = try connection.statement(
            "SELECT bucket FROM fences WHERE is_confirmed = 0 ORDER BY bucket LIMIT ?1")
        rows.bind(1, Self.limit(query.limit))
        var list = ProtoFenceList()
        while try rows.step() { list.buckets.append(RangeSchema.bucket(rows.integer(0))) }
        return Self.bytes { $0.fences = list }
    }

    private func unnamed(_ query: ProtoFindUnnamed) throws(SQLiteError) -> [UInt8] {
        let ids = query.chunks.compactMap { ChunkID(bytes: $0) }
        guard ids.count == query.chunks.count, ids.count <= CatalogueLimits.entriesPerAnswerMax
        else { return Self.failure(.invalidCommand, "at most 1,000 chunks, of 16 bytes each") }
        let fence = try Registers.read(.sweepFence, on: connection)
        let named = NamedChunks(connection: connection)
        var found = ProtoUnnamedChunks()
        found.fenceS = UInt32(clamping: fence)
        for (id, bytes) in zip(ids, query.chunks) where Int64(id.born) < fence {
            if try !named.contains(id) { found.chunks.append(bytes) }
        }
        return Self.bytes { $0.unnamed = found }
    }

    private func usage() throws(SQLiteError) -> [UInt8] {
        func read(_ name: Registers.Name) throws(SQLiteError) -> UInt64 {
            UInt64(clamping: try Registers.read(name, on: connection))
        }
        var usage = ProtoRangeUsageFound()
        usage.objectCount = try read(.objectCount)
        usage.objectBytes = try read(.objectBytes)
        usage.uploadCount = try read(.uploadCount)
        usage.garbageCount = try read(.garbageCount)
        usage.repairCount = try read(.repairCount)
        return Self.bytes { $0.usage = usage }
    }

    /// What is asked for, within bounds; 0 asks for as much as an answer holds.
    static func limit(_ limit: UInt32) -> Int {
        limit == 0
            ? CatalogueLimits.entriesPerAnswerMax
            : min(Int(limit), CatalogueLimits.entriesPerAnswerMax)
    }
}
