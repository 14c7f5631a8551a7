import Core
import Foundation
import GRDB
import Messages

/// What a coordinator's file of a range holds, read past the code that keeps it.
struct RangeContent {
    /// The last entry of the log that is in it.
    private(set) var applied: Int64 = 0
    /// By table; the same for the same rows.
    private(set) var digests: [String: UInt64] = [:]
    private static let emptyDigest: UInt64 = 0xCBF2_9CE4_8422_2325
    private var digest = Self.emptyDigest
    /// Chunks of objects and of parts of uploads.
    private(set) var referenced: Set<ChunkID> = []
    private(set) var garbage: Set<ChunkID> = []
    /// Entries of the queue of chunks to remove, and of copies to repair.
    private(set) var garbageCount = 0
    private(set) var repairCount = 0
    /// Chunks of which copies wait for repair.
    private(set) var incomplete: Set<ChunkID> = []
    /// Where the range contradicts itself.
    private(set) var problems: [String] = []

    /// Slots of the registers that are told here; see the catalogue's own list.
    private enum Slot {
        static let applied: Int64 = 1
        static let objectCount: Int64 = 11
        static let objectBytes: Int64 = 12
        static let uploadCount: Int64 = 13
        static let garbageCount: Int64 = 14
        static let repairCount: Int64 = 15
    }

    /// - Throws: What SQLite says.
    init(path: String) throws {
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        let file = try DatabaseQueue(path: path, configuration: configuration)
        try file.read { db in
            try read(db)
            try digestAll(db)
        }
        try file.close()
    }

    private mutating func read(_ db: Database) throws {
        var registers: [Int64: Int64] = [:]
        for row in try Row.fetchAll(db, sql: "SELECT slot, value FROM registers") {
            registers[row[0]] = row[1]
        }
        applied = registers[Slot.applied] ?? 0
        garbageCount = try count("garbage", db)
        repairCount = try count("repairs", db)
        incomplete = Set(
            try Data.fetchAll(db, sql: "SELECT chunk FROM repairs").compactMap {
                ChunkID(bytes: $0)
            })
        let objects = try Row.fetchOne(db, sql: "SELECT count(*), total(size) FROM heads")
        expect(registers[Slot.objectCount], objects?[0] ?? 0, "objects")
        expect(registers[Slot.objectBytes], Int64((objects?[1] as Double?) ?? 0), "bytes")
        expect(registers[Slot.uploadCount], Int64(try count("uploads", db)), "uploads")
        expect(registers[Slot.garbageCount], Int64(garbageCount), "garbage entries")
        expect(registers[Slot.repairCount], Int64(repairCount), "repairs")
        try readChunks(db)
    }

    private mutating func readChunks(_ db: Database) throws {
        let removed = Set(
            try Data.fetchAll(db, sql: "SELECT upload FROM garbage WHERE upload IS NOT NULL"))
        let bodies = """
            SELECT coalesce(heads.body, bodies.body) FROM heads
            LEFT JOIN bodies ON bodies.row = heads.body_row WHERE heads.kind = 2
            """
        for body in try Data.fetchAll(db, sql: bodies) { referenced.formUnion(try chunks(body)) }
        for row in try Row.fetchAll(db, sql: "SELECT upload, body FROM parts WHERE kind = 2") {
            let found = try chunks(row[1])
            if removed.contains(row[0]) {
                garbage.formUnion(found)
            } else {
                referenced.formUnion(found)
            }
        }
        for bytes in try Data.fetchAll(
            db, sql: "SELECT chunks FROM garbage WHERE chunks IS NOT NULL")
        {
            for start in stride(from: 0, to: bytes.count, by: ChunkID.byteCount) {
                if let id = ChunkID(bytes: bytes.dropFirst(start).prefix(ChunkID.byteCount)) {
                    garbage.insert(id)
                }
            }
        }
        let named = Set(
            try Data.fetchAll(db, sql: "SELECT chunk FROM named").compactMap(Self.chunk(named:)))
        let all = referenced.union(garbage)
        if let chunk = all.subtracting(named).min() {
            problems.append("chunk \(chunk) is used, but not in the table of named chunks")
        }
        if let chunk = named.subtracting(all).min() {
            problems.append("chunk \(chunk) is in the table of named chunks, and nothing uses it")
        }
        if let chunk = referenced.intersection(garbage).min() {
            problems.append("chunk \(chunk) of an object is queued for removal")
        }
    }

    private func chunks(_ body: Data) throws -> [ChunkID] {
        try ProtoBody(serializedBytes: body).chunked.chunks.compactMap { ChunkID(bytes: $0.id) }
    }

    /// The table has them with `born` first.
    private static func chunk(named key: Data) -> ChunkID? {
        let bytes = Array(key)
        guard bytes.count == ChunkID.byteCount else { return nil }
        return ChunkID(bytes: Array(bytes[4..<6] + bytes[..<4] + bytes[6...]))
    }

    private func count(_ table: String, _ db: Database) throws -> Int {
        try Int.fetchOne(db, sql: "SELECT count(*) FROM \(table)") ?? 0
    }

    private mutating func expect(_ told: Int64?, _ counted: Int64, _ what: String) {
        if told ?? 0 != counted {
            problems.append("the ledger tells \(told ?? 0) \(what), there are \(counted)")
        }
    }

    // MARK: The digest

    private mutating func digestAll(_ db: Database) throws {
        let tables = try String.fetchAll(
            db,
            sql: """
                SELECT name FROM sqlite_schema
                WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name
                """)
        for table in tables {
            digest = Self.emptyDigest
            // By all columns: the same rows in the same order, whatever the file looks like.
            let columns = try db.columns(in: table).indices.map { "\($0 + 1)" }
            let order = columns.joined(separator: ", ")
            let rows = try Row.fetchCursor(db, sql: "SELECT * FROM \(table) ORDER BY \(order)")
            while let row = try rows.next() {
                for (_, value) in row { mix(value) }
            }
            digests[table] = digest
        }
    }

    private mutating func mix(_ value: DatabaseValue) {
        switch value.storage {
        case .null: mix([0])
        case .int64(let number): mix("i\(number)".utf8)
        case .double(let number): mix("d\(number)".utf8)
        case .string(let text): mix(text.utf8)
        case .blob(let bytes): mix(bytes)
        }
        mix([0xFF])
    }

    /// FNV-1a.
    private mutating func mix(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { digest = (digest ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    }
}
