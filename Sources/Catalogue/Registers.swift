/// Small numbers that most commands change: kept in memory, written once per batch.
struct Registers {
    /// Position of a number in the table; positions are never used again.
    enum Name: Int, CaseIterable {
        case applied = 1
        // The ledger of commands.
        case commandCount = 2
        case ledgerRows = 3
        case blockTime = 4
        case forgottenBefore = 5
        // A range of the object index.
        case lastRow = 10
        case objectCount = 11
        case objectBytes = 12
        case uploadCount = 13
        case garbageCount = 14
        case repairCount = 15
        case lastBody = 16
        case sweepFence = 17
        // The system range.
        case revision = 30
        case epoch = 31
        case nodeCount = 32
        case bucketCount = 33
        case accessKeyCount = 34
        case deletionCount = 35
        case deletionsFrom = 36
        case rangesRevision = 37
    }

    private static let count = 64
    private var values: [Int64]
    private var changed: UInt64 = 0

    init(from connection: SQLiteConnection) throws(SQLiteError) {
        values = Array(repeating: 0, count: Self.count)
        let rows = try connection.prepare("SELECT slot, value FROM registers")
        while try rows.step() {
            let slot = Int(rows.integer(0))
            if values.indices.contains(slot) { values[slot] = rows.integer(1) }
        }
    }

    subscript(name: Name) -> Int64 {
        get { values[name.rawValue] }
        set {
            values[name.rawValue] = newValue
            changed |= 1 << UInt64(name.rawValue)
        }
    }

    mutating func next(_ name: Name) -> Int64 {
        self[name] += 1
        return self[name]
    }

    mutating func write(to connection: SQLiteConnection) throws(SQLiteError) {
        while changed != 0 {
            let slot = changed.trailingZeroBitCount
            changed &= changed - 1
            try connection.statement(
                "INSERT OR REPLACE INTO registers (slot, value) VALUES (?1, ?2)"
            ).bind(1, slot).bind(2, values[slot]).run()
        }
    }

    /// One number as a reader's transaction sees it.
    static func read(
        _ name: Name, on connection: SQLiteConnection
    ) throws(SQLiteError) -> Int64 {
        let row = try connection.statement("SELECT value FROM registers WHERE slot = ?1")
        row.bind(1, name.rawValue)
        defer { row.reset() }
        return try row.step() ? row.integer(0) : 0
    }
}
