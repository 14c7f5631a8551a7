import Core
import Foundation
import GRDB

/// What the index says of a chunk.
enum ChunkEntry: Hashable, Sendable {
    case stored(ChunkLocation)
    /// Milliseconds since 1970.
    case deleted(Int64)
    /// Dropped here, without a tombstone. Only among changes: the index then has no row.
    case dropped

    var location: ChunkLocation? {
        if case .stored(let location) = self { return location }
        return nil
    }
}

/// What one write of the index brings. Everything in it was durable in the segments before.
struct IndexBatch: Sendable {
    var entries: [(ChunkID, ChunkEntry)] = []
    /// For each segment: everything below this offset is in the index.
    var marks: [SegmentMark] = []
    var removedSegments: [UInt32] = []
    var tombstones: TombstonePosition?
}

struct SegmentMark: Hashable, Sendable {
    let segment: UInt32
    let identity: StorageIdentity
    let offset: Int
}

/// SQLite's table from chunk to place. It follows the segments and tombstone files, which are the
/// truth: lost or behind, it is brought up from them. WAL, synchronous NORMAL: after a power loss
/// it is a consistent state of some time ago, with the marks that belong to that state.
final class ChunkIndex: Sendable {
    private static let version = 1
    private let pool: DatabasePool

    /// - Throws: An error of SQLite; the caller makes a new index.
    init(path: String) throws {
        var configuration = Configuration()
        configuration.maximumReaderCount = ChunkStoreLimits.readThreadCount + 4
        configuration.prepareDatabase { db in
            try db.execute(sql: "PRAGMA synchronous = NORMAL")
            try db.execute(sql: "PRAGMA cache_size = -2048")
            try db.execute(sql: "PRAGMA journal_size_limit = 67108864")
        }
        pool = try DatabasePool(path: path, configuration: configuration)
        try pool.write { db in
            let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
            if version == Self.version { return }
            // Another version's index is made anew from the segments.
            guard version == 0 else { throw IndexOfOtherVersion() }
            try db.execute(
                sql: """
                    CREATE TABLE chunks (
                        high INTEGER NOT NULL, low INTEGER NOT NULL, segment INTEGER NOT NULL,
                        offset INTEGER NOT NULL, header INTEGER NOT NULL, bytes INTEGER NOT NULL,
                        PRIMARY KEY (high, low)) WITHOUT ROWID;
                    CREATE TABLE segments (
                        number INTEGER PRIMARY KEY, identity BLOB NOT NULL, mark INTEGER NOT NULL);
                    CREATE TABLE tombstones (
                        id INTEGER PRIMARY KEY CHECK (id = 1), file INTEGER NOT NULL,
                        offset INTEGER NOT NULL);
                    INSERT INTO tombstones VALUES (1, 0, 0);
                    PRAGMA user_version = \(Self.version);
                    """)
        }
        _ = try pool.read { db in try Row.fetchOne(db, sql: "SELECT * FROM chunks LIMIT 1") }
    }

    struct IndexOfOtherVersion: Error {}

    func close() throws { try pool.close() }

    // MARK: Reading

    func entry(of chunk: ChunkID) throws -> ChunkEntry? {
        try pool.unsafeRead { db in try Self.entry(of: chunk, in: db) }
    }

    func entries(of chunks: [ChunkID]) throws -> [ChunkEntry?] {
        try pool.unsafeRead { db in try chunks.map { try Self.entry(of: $0, in: db) } }
    }

    private static func entry(of chunk: ChunkID, in db: Database) throws -> ChunkEntry? {
        let statement = try db.cachedStatement(
            sql: "SELECT segment, offset, header, bytes FROM chunks WHERE high = ? AND low = ?")
        statement.setUncheckedArguments([signed(chunk.high), signed(chunk.low)])
        // The row is a view of the statement, which the cursor resets when it goes.
        let cursor = try Row.fetchCursor(statement)
        return try withExtendedLifetime(cursor) { try cursor.next().map(entry) }
    }

    private static func entry(_ row: Row) -> ChunkEntry {
        let segment: Int64 = row[0]
        let offset: Int64 = row[1]
        if segment == 0 { return .deleted(offset) }
        return .stored(
            ChunkLocation(
                segment: UInt32(segment), offset: Int(offset), headerBytes: row[2],
                payloadBytes: row[3]))
    }

    /// Chunks that are stored, in order.
    func stored(
        in partition: PartitionID, after: ChunkID?, limit: Int
    ) throws -> [ChunkID] {
        let first = ChunkID(high: UInt64(partition.rawValue) << 52, low: 0)
        let end = UInt64(partition.rawValue) << 52 | (1 << 52 - 1)
        let after = after.map { max($0, first) }
        let start = after ?? first
        return try pool.unsafeRead { db in
            let statement = try db.cachedStatement(
                sql: """
                    SELECT high, low FROM chunks
                    WHERE (high, low) \(after == nil ? ">=" : ">") (?, ?) AND high <= ?
                    AND segment > 0 ORDER BY high, low LIMIT ?
                    """)
            statement.setUncheckedArguments([
                Self.signed(start.high), Self.signed(start.low), Self.signed(end), limit,
            ])
            var chunks: [ChunkID] = []
            let rows = try Row.fetchCursor(statement)
            while let row = try rows.next() {
                chunks.append(ChunkID(high: Self.unsigned(row[0]), low: Self.unsigned(row[1])))
            }
            return chunks
        }
    }

    /// Partitions with chunks that are stored: a seek each.
    func partitions() throws -> Set<PartitionID> {
        try pool.unsafeRead { db in
            let statement = try db.cachedStatement(
                sql: """
                    SELECT high FROM chunks WHERE high >= ? AND segment > 0
                    ORDER BY high, low LIMIT 1
                    """)
            var found: Set<PartitionID> = []
            var next: UInt64 = 0
            while true {
                statement.setUncheckedArguments([Self.signed(next)])
                let cursor = try Row.fetchCursor(statement)
                let high = try withExtendedLifetime(cursor) {
                    try cursor.next().map { Self.unsigned($0[0]) }
                }
                guard let high else { return found }
                let partition = ChunkID(high: high, low: 0).partition
                found.insert(partition)
                guard Int(partition.rawValue) + 1 < PartitionID.count else { return found }
                next = UInt64(partition.rawValue + 1) << 52
            }
        }
    }

    /// Live chunks, bytes of extents and the end of the last one by segment; also of segments that
    /// are gone.
    func usage() throws -> [UInt32: (count: Int, bytes: Int, end: Int)] {
        let alignment = ChunkStoreLimits.alignment
        return try pool.unsafeRead { db in
            let rows = try Row.fetchCursor(
                db,
                sql: """
                    SELECT segment, count(*),
                        sum((header + bytes + \(alignment - 1)) / \(alignment) * \(alignment)),
                        max(offset
                            + (header + bytes + \(alignment - 1)) / \(alignment) * \(alignment))
                    FROM chunks WHERE segment > 0 GROUP BY segment
                    """)
            var usage: [UInt32: (count: Int, bytes: Int, end: Int)] = [:]
            while let row = try rows.next() {
                usage[row[0]] = (count: row[1], bytes: row[2], end: row[3])
            }
            return usage
        }
    }

    func marks() throws -> (segments: [SegmentMark], tombstones: TombstonePosition) {
        try pool.unsafeRead { db in
            let rows = try Row.fetchAll(db, sql: "SELECT number, identity, mark FROM segments")
            let marks = rows.compactMap { row -> SegmentMark? in
                let identity: Data = row[1]
                return StorageIdentity(bytes: identity).map {
                    SegmentMark(segment: row[0], identity: $0, offset: row[2])
                }
            }
            let position = try Row.fetchOne(db, sql: "SELECT file, offset FROM tombstones")
            return (
                marks,
                position.map { TombstonePosition(file: $0[0], offset: $0[1]) } ?? .start
            )
        }
    }

    // MARK: Writing

    func write(_ batch: IndexBatch) throws {
        try pool.write { db in
            for (chunk, entry) in batch.entries { try Self.put(chunk, entry, in: db) }
            for mark in batch.marks {
                try db.execute(
                    sql: "INSERT OR REPLACE INTO segments VALUES (?, ?, ?)",
                    arguments: [mark.segment, Data(mark.identity.bytes), mark.offset])
            }
            for segment in batch.removedSegments {
                try db.execute(sql: "DELETE FROM segments WHERE number = ?", arguments: [segment])
            }
            if let position = batch.tombstones {
                try db.execute(
                    sql: "UPDATE tombstones SET file = ?, offset = ?",
                    arguments: [position.file, position.offset])
            }
        }
    }

    private static func put(_ chunk: ChunkID, _ entry: ChunkEntry, in db: Database) throws {
        let statement = try db.cachedStatement(
            sql: "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?, ?)")
        switch entry {
        case .stored(let location):
            statement.setUncheckedArguments([
                signed(chunk.high), signed(chunk.low), Int64(location.segment), location.offset,
                location.headerBytes, location.payloadBytes,
            ])
        case .deleted(let milliseconds):
            statement.setUncheckedArguments([
                signed(chunk.high), signed(chunk.low), 0, milliseconds, 0, 0,
            ])
        case .dropped:
            let statement = try db.cachedStatement(
                sql: "DELETE FROM chunks WHERE high = ? AND low = ?")
            statement.setUncheckedArguments([signed(chunk.high), signed(chunk.low)])
            try statement.execute()
            return
        }
        try statement.execute()
    }

    /// Forgets every chunk of a segment that is not there any more.
    ///
    /// - Returns: How many.
    func forget(segment: UInt32) throws -> Int {
        try pool.write { db in
            try db.execute(sql: "DELETE FROM chunks WHERE segment = ?", arguments: [segment])
            let count = db.changesCount
            try db.execute(sql: "DELETE FROM segments WHERE number = ?", arguments: [segment])
            return count
        }
    }

    /// Forgets tombstones that are old enough.
    ///
    /// - Parameter cutoff: Milliseconds since 1970; younger ones stay.
    func forgetTombstones(_ chunks: [ChunkID], before cutoff: Int64) throws {
        try pool.write { db in
            let statement = try db.cachedStatement(
                sql: """
                    DELETE FROM chunks
                    WHERE high = ? AND low = ? AND segment = 0 AND offset < ?
                    """)
            for chunk in chunks {
                statement.setUncheckedArguments([
                    Self.signed(chunk.high), Self.signed(chunk.low), cutoff,
                ])
                try statement.execute()
            }
        }
    }

    /// Everything written so far is on stable storage when this returns: from here on a power loss
    /// leaves this state or a later one.
    func makeDurable() throws {
        _ = try pool.writeWithoutTransaction { db in try db.checkpoint(.full) }
    }

    // MARK: Order

    /// SQLite's integers are signed: this keeps the order of the unsigned ones.
    private static func signed(_ value: UInt64) -> Int64 { Int64(bitPattern: value ^ 1 << 63) }
    private static func unsigned(_ value: Int64) -> UInt64 { UInt64(bitPattern: value) ^ 1 << 63 }
}
