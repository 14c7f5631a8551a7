import GRDBSQLite

/// What SQLite said.
struct SQLiteError: Error, Equatable {
    let code: Int32
    let message: String

    /// A row that cannot be what was written.
    static func damage(_ detail: String) -> SQLiteError {
        SQLiteError(code: SQLITE_CORRUPT, message: detail)
    }

    var isFull: Bool { code & 0xFF == SQLITE_FULL }
    var isDamage: Bool { code & 0xFF == SQLITE_CORRUPT || code & 0xFF == SQLITE_NOTADB }
}

/// One connection to one file, confined to whoever holds its lock: opened without SQLite's own
/// mutexes.
///
/// The library and its version are GRDB's (as the chunk store uses them), but not its connections:
/// those cost more per statement than the statements here themselves (dispatch queues, `query_only`
/// switched to and fro, transactions around each read, rows copied to `Data`).
///
/// Unchecked: every connection lies in a `Mutex` and is used under its lock only (`Mutex` itself
/// cannot lend it to a closure that it is given).
final class SQLiteConnection: @unchecked Sendable {
    enum Mode { case readWrite, readOnly }

    private let handle: OpaquePointer
    /// Pages in the write-ahead log after the last commit of this connection.
    private let logPages: UnsafeMutablePointer<Int32>
    /// By the address of the SQL literal.
    private var statements: [UnsafePointer<UInt8>: SQLiteStatement] = [:]

    init(path: String, mode: Mode, cacheKiB: Int) throws(SQLiteError) {
        var handle: OpaquePointer?
        let flags =
            mode == .readWrite
            ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY
        let code = sqlite3_open_v2(path, &handle, flags | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let handle else {
            let message = handle.map { String(cString: sqlite3_errmsg($0)) } ?? "out of memory"
            sqlite3_close_v2(handle)
            throw SQLiteError(code: code, message: message)
        }
        self.handle = handle
        logPages = .allocate(capacity: 1)
        logPages.initialize(to: 0)
        sqlite3_extended_result_codes(handle, 1)
        // Two connections of this process meet at a checkpoint or a recovery only, and briefly.
        sqlite3_busy_timeout(handle, 10_000)
        try execute("PRAGMA cache_size = -\(cacheKiB)")
        try execute("PRAGMA temp_store = MEMORY")
    }

    deinit {
        statements = [:]
        sqlite3_close_v2(handle)
        logPages.deallocate()
    }

    /// Runs SQL text that answers nothing of interest; not for hot paths.
    func execute(_ sql: String) throws(SQLiteError) {
        try check(sqlite3_exec(handle, sql, nil, nil, nil))
    }

    /// The prepared statement of a literal, reset and ready to be bound. Each literal in the source
    /// is prepared once per connection.
    func statement(_ sql: StaticString) throws(SQLiteError) -> SQLiteStatement {
        if let found = statements[sql.utf8Start] {
            found.reset()
            return found
        }
        let made = try SQLiteStatement(sql.description, on: handle, isKept: true)
        statements[sql.utf8Start] = made
        return made
    }

    /// A statement used once.
    func prepare(_ sql: String) throws(SQLiteError) -> SQLiteStatement {
        try SQLiteStatement(sql, on: handle, isKept: false)
    }

    /// The first column of the first row; `nil` without a row.
    func integer(_ sql: String) throws(SQLiteError) -> Int64? {
        let statement = try prepare(sql)
        return try statement.step() ? statement.integer(0) : nil
    }

    func text(_ sql: String) throws(SQLiteError) -> String? {
        let statement = try prepare(sql)
        return try statement.step() ? statement.text(0) : nil
    }

    /// Rows that the last statement inserted, changed or deleted.
    var changeCount: Int { Int(sqlite3_changes(handle)) }

    /// Counts the write-ahead log's pages, and leaves copying them back to us (this replaces
    /// SQLite's automatic checkpoints, which would sync the disk in the middle of an apply).
    func ownCheckpoints() {
        sqlite3_wal_hook(
            handle,
            { context, _, _, pages in
                context?.assumingMemoryBound(to: Int32.self).pointee = pages
                return SQLITE_OK
            }, logPages)
    }

    var writeAheadPages: Int { Int(logPages.pointee) }

    /// Copies what it can of the write-ahead log into the file without waiting for anybody.
    ///
    /// - Returns: Whether all of the log is in the file now, synced.
    func checkpointPassively() throws(SQLiteError) -> Bool {
        var pages: Int32 = 0
        var copied: Int32 = 0
        let code = sqlite3_wal_checkpoint_v2(
            handle, nil, SQLITE_CHECKPOINT_PASSIVE, &pages, &copied)
        if code & 0xFF == SQLITE_BUSY { return false }
        try check(code)
        return pages >= 0 && copied == pages
    }

    /// Copies all pages of one consistent state over `target`.
    func copy(to target: SQLiteConnection) throws(SQLiteError) {
        guard let backup = sqlite3_backup_init(target.handle, "main", handle, "main") else {
            throw target.error(sqlite3_errcode(target.handle))
        }
        let code = sqlite3_backup_step(backup, -1)
        let end = sqlite3_backup_finish(backup)
        guard code == SQLITE_DONE, end == SQLITE_OK else {
            throw target.error(code == SQLITE_DONE ? end : code)
        }
    }

    private func check(_ code: Int32) throws(SQLiteError) {
        if code != SQLITE_OK { throw error(code) }
    }

    private func error(_ code: Int32) -> SQLiteError {
        SQLiteError(code: code, message: String(cString: sqlite3_errmsg(handle)))
    }
}
