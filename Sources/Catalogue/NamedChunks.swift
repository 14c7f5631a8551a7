import Core
import Foundation
import Messages

/// The table of all chunks that a row of the range names: an object's, a part's, or the garbage
/// queue's. It answers whether a chunk that a storage node holds is anybody's.
///
/// A chunk comes in with the command that names it and goes out with the command that says that it
/// is gone from every holder; what happens to it between these (overwritten, completed, queued)
/// does not touch the table. So it costs one insert and one delete in a chunk's life, and objects
/// in the catalogue itself cost none.
struct NamedChunks {
    let connection: SQLiteConnection

    /// The id with `born` first: new chunks are inserted side by side, into pages that are in
    /// memory anyhow.
    static func key(_ id: some Collection<UInt8>) -> [UInt8] {
        let bytes = Array(id)
        return Array(bytes[2..<6] + bytes[..<2] + bytes[6...])
    }

    func add(_ body: ProtoBody) throws(SQLiteError) {
        for chunk in body.chunked.chunks { try add(Self.key(chunk.id)) }
    }

    private func add(_ key: [UInt8]) throws(SQLiteError) {
        try connection.statement("INSERT OR IGNORE INTO named (chunk) VALUES (?1)")
            .bind(1, key).run()
    }

    /// - Parameter chunks: Ids, one after the other.
    func remove(_ chunks: [UInt8]) throws(SQLiteError) {
        for start in stride(from: 0, to: chunks.count, by: ChunkID.byteCount) {
            let id = chunks[start..<min(start + ChunkID.byteCount, chunks.count)]
            try connection.statement("DELETE FROM named WHERE chunk = ?1")
                .bind(1, Self.key(id)).run()
        }
    }

    func contains(_ id: ChunkID) throws(SQLiteError) -> Bool {
        let row = try connection.statement("SELECT 1 FROM named WHERE chunk = ?1")
        row.bind(1, Self.key(id.bytes))
        defer { row.reset() }
        return try row.step()
    }

    /// Makes the table of a file that has none from all that its rows name.
    func makeFromRows() throws(SQLiteError) {
        try connection.execute(RangeSchema.named)
        let bodies = try connection.prepare(
            """
            SELECT coalesce(heads.body, bodies.body) FROM heads
            LEFT JOIN bodies ON bodies.row = heads.body_row WHERE heads.kind = 2
            UNION ALL SELECT body FROM parts WHERE kind = 2
            """)
        while try bodies.step() {
            var chunks: [UInt8] = []
            try PartChunks.append(bodies.bytes(0), to: &chunks)
            try addAll(chunks)
        }
        let garbage = try connection.prepare("SELECT chunks FROM garbage WHERE chunks IS NOT NULL")
        while try garbage.step() { try addAll(garbage.bytes(0)) }
    }

    private func addAll(_ chunks: [UInt8]) throws(SQLiteError) {
        for start in stride(from: 0, to: chunks.count, by: ChunkID.byteCount) {
            try add(Self.key(chunks[start..<min(start + ChunkID.byteCount, chunks.count)]))
        }
    }
}
