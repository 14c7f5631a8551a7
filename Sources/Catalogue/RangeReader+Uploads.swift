import Core
import Foundation
import Messages

/// Uploads, parts, and the garbage that refers to them.
extension RangeReader {
    func upload(_ query: ProtoGetUpload) throws(SQLiteError) -> [UInt8] {
        guard let upload = try storedUpload(query.bucket, query.key, query.upload) else {
            return try missing(.noSuchUpload, in: query.bucket)
        }
        return Self.bytes { $0.upload = upload }
    }

    private func storedUpload(
        _ bucket: UInt64, _ key: Data, _ upload: Data
    ) throws(SQLiteError) -> ProtoUpload? {
        let row = try connection.statement(
            "SELECT value FROM uploads WHERE bucket = ?1 AND key = ?2 AND upload = ?3")
        row.bind(1, RangeSchema.column(bucket)).bind(2, key).bind(3, upload)
        defer { row.reset() }
        guard try row.step() else { return nil }
        return try decode(ProtoUpload.self, row.bytes(0))
    }

    func uploads(_ query: ProtoListUploads) throws(SQLiteError) -> [UInt8] {
        var scan = KeyScan(
            prefix: Array(query.prefix), delimiter: Array(query.delimiter),
            limit: min(Int(query.limit), CatalogueLimits.entriesPerAnswerMax))
        let afterKey = Array(query.afterKey)
        var start = scan.start(after: afterKey)
        // Within a key: the first search begins behind the upload named, not behind the key.
        var afterUpload = Array(query.afterUpload)
        if !afterUpload.isEmpty, !ByteOrder.isLess(afterKey, scan.prefix) { start = afterKey }
        var list = ProtoUploadList()
        var damage: SQLiteError?
        var lastKey = Data()
        var lastUpload = Data()
        try scan.run(from: start) { (key: [UInt8]) throws(SQLiteError) -> SQLiteStatement in
            let statement = try connection.statement(
                """
                SELECT key, upload, value FROM uploads
                WHERE bucket = ?1 AND (key, upload) > (?2, ?3) ORDER BY key, upload
                """
            ).bind(1, RangeSchema.column(query.bucket)).bind(2, key)
                .bind(3, key == afterKey ? afterUpload : [])
            afterUpload = []
            return statement
        } entry: { row in
            do throws(SQLiteError) {
                list.uploads.append(try decode(ProtoUpload.self, row.bytes(2)))
            } catch {
                damage = error
            }
            lastKey = row.data(0)
            lastUpload = row.data(1)
        } commonPrefix: { prefix in
            list.commonPrefixes.append(Data(prefix))
            lastKey = Data(prefix)
            lastUpload = Data()
        }
        if let damage { throw damage }
        if scan.entryCount == 0, try isFenced(query.bucket) { return Self.failure(.noSuchBucket) }
        if scan.isTruncated {
            list.isTruncated = true
            list.nextAfterKey = lastKey
            list.nextAfterUpload = lastUpload
        }
        return Self.bytes { $0.uploads = list }
    }

    // MARK: Parts

    func parts(_ query: ProtoListParts) throws(SQLiteError) -> [UInt8] {
        let upload = try storedUpload(query.bucket, query.key, query.upload)
        if upload == nil, !(try isCompleted(query.upload)) {
            return try missing(.noSuchUpload, in: query.bucket)
        }
        var limit = Self.limit(query.limit)
        if query.withBodies { limit = min(limit, CatalogueLimits.partsWithBodiesPerAnswerMax) }
        let rows = try connection.statement(
            """
            SELECT parts.value, layouts.offset, parts.body FROM parts
            LEFT JOIN layouts ON layouts.upload = parts.upload AND layouts.number = parts.number
            WHERE parts.upload = ?1 AND parts.number > ?2 ORDER BY parts.number LIMIT ?3
            """)
        rows.bind(1, query.upload).bind(2, Int64(query.afterNumber)).bind(3, limit + 1)
        var list = try collect(rows, limit: limit, withBodies: query.withBodies)
        if let upload { list.upload = upload }
        return Self.bytes { $0.parts = list }
    }

    func parts(_ query: ProtoReadParts) throws(SQLiteError) -> [UInt8] {
        let limit = min(
            max(1, Int(query.limit)), CatalogueLimits.partsWithBodiesPerAnswerMax)
        let rows = try connection.statement(
            """
            SELECT parts.value, layouts.offset, parts.body FROM layouts
            JOIN parts ON parts.upload = layouts.upload AND parts.number = layouts.number
            WHERE layouts.upload = ?1 AND layouts.offset >= (
                SELECT max(offset) FROM layouts WHERE upload = ?1 AND offset <= ?2
            ) ORDER BY layouts.offset LIMIT ?3
            """)
        rows.bind(1, query.upload).bind(2, Int64(clamping: query.offset)).bind(3, limit + 1)
        let list = try collect(rows, limit: limit, withBodies: true)
        if list.parts.isEmpty { return try missing(.noSuchUpload, in: query.bucket) }
        return Self.bytes { $0.parts = list }
    }

    private func isCompleted(_ upload: Data) throws(SQLiteError) -> Bool {
        let row = try connection.statement("SELECT 1 FROM layouts WHERE upload = ?1 LIMIT 1")
        row.bind(1, upload)
        defer { row.reset() }
        return try row.step()
    }

    private func collect(
        _ rows: SQLiteStatement, limit: Int, withBodies: Bool
    ) throws(SQLiteError) -> ProtoPartList {
        var list = ProtoPartList()
        defer { rows.reset() }
        while try rows.step() {
            if list.parts.count == limit {
                list.isTruncated = true
                break
            }
            var part = try decode(ProtoPart.self, rows.bytes(0))
            part.offset = UInt64(rows.integer(1))
            if withBodies { part.body = try decode(ProtoBody.self, rows.bytes(2)) }
            list.parts.append(part)
        }
        return list
    }

    // MARK: Garbage

    func garbage(_ query: ProtoListGarbage) throws(SQLiteError) -> [UInt8] {
        let rows = try connection.statement(
            """
            SELECT row, queued, chunks, upload FROM garbage
            WHERE row > ?1 ORDER BY row LIMIT ?2
            """)
        rows.bind(1, Int64(clamping: query.afterRow)).bind(2, Self.limit(query.limit))
        defer { rows.reset() }
        var list = ProtoGarbageList()
        var chunkCount = 0
        while chunkCount < CatalogueLimits.chunksPerGarbageAnswerMax, try rows.step() {
            // Rows are queued in the order of the log; the clocks of proposers differ a little.
            if rows.integer(1) >= query.olderThanMs { continue }
            var row = ProtoGarbageRow()
            row.row = UInt64(rows.integer(0))
            row.queuedMs = rows.integer(1)
            if rows.isNothing(3) {
                row.chunks = Self.chunks(rows.bytes(2))
                row.isLastBatch = true
            } else {
                row.upload = rows.data(3)
                try fillBatch(of: &row)
            }
            chunkCount += row.chunks.count
            list.rows.append(row)
        }
        return Self.bytes { $0.garbage = list }
    }

    /// The first parts that are still there, up to a number of chunks, at least one part.
    private func fillBatch(of row: inout ProtoGarbageRow) throws(SQLiteError) {
        let parts = try connection.statement(
            "SELECT number, body FROM parts WHERE upload = ?1 ORDER BY number")
        parts.bind(1, row.upload)
        defer { parts.reset() }
        var chunks: [UInt8] = []
        var count = 0
        row.isLastBatch = true
        while try parts.step() {
            // Parts without chunks of their own (inline) do not fill the batch, so count them too.
            if count >= CatalogueLimits.chunksPerGarbageRowMax {
                row.isLastBatch = false
                break
            }
            let before = chunks.count
            try PartChunks.append(parts.bytes(1), to: &chunks)
            count += 1 + (chunks.count - before) / ChunkID.byteCount
            row.upToPart = UInt32(truncatingIfNeeded: parts.integer(0))
        }
        row.chunks = Self.chunks(chunks)
    }

    private static func chunks(_ bytes: [UInt8]) -> [Data] {
        stride(from: 0, to: bytes.count, by: ChunkID.byteCount).map {
            Data(bytes[$0..<min(bytes.count, $0 + ChunkID.byteCount)])
        }
    }
}
