/// Tables that every store has, and what tells one store's file from another's.
enum StoreSchema {
    static let pageBytes = 4096

    private static let tables =
        [
            "CREATE TABLE registers (slot INTEGER PRIMARY KEY, value INTEGER NOT NULL)",
            "CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        ] + CommandLedger.schema

    /// Makes an empty file a store.
    static func create(
        on connection: SQLiteConnection, machine: any StoreMachine, identity: Int64
    ) throws(SQLiteError) {
        try connection.execute("BEGIN IMMEDIATE")
        for sql in tables + machine.schema { try connection.execute(sql) }
        try connection.execute("PRAGMA application_id = \(machine.applicationID)")
        try connection.execute("PRAGMA user_version = \(machine.schemaVersion)")
        try connection.prepare("INSERT INTO facts (name, value) VALUES ('identity', ?1)")
            .bind(1, identity).run()
        try connection.execute("COMMIT")
    }

    /// Whether the file holds nothing yet (also: creating it was cut short).
    static func isEmpty(_ connection: SQLiteConnection) throws(SQLiteError) -> Bool {
        let application = try connection.integer("PRAGMA application_id")
        let tables = try connection.integer("SELECT count(*) FROM sqlite_schema")
        return application == 0 && tables == 0
    }

    /// Refuses a file that is not what it should be.
    ///
    /// - Parameter isThorough: Read all of it, whatever its size.
    static func verify(
        _ connection: SQLiteConnection, path: String, machine: any StoreMachine, identity: Int64,
        isThorough: Bool
    ) throws(CatalogueError) {
        do {
            guard try connection.integer("PRAGMA application_id") == machine.applicationID else {
                throw CatalogueError.foreign(
                    path: path, detail: "the file was not written by this kind of store")
            }
            let version = try connection.integer("PRAGMA user_version") ?? 0
            guard (1...machine.schemaVersion).contains(version) else {
                throw CatalogueError.unknownSchema(
                    path: path, found: Int(version), known: Int(machine.schemaVersion))
            }
            let found = try connection.integer("SELECT value FROM facts WHERE name = 'identity'")
            guard found == identity else {
                throw CatalogueError.foreign(
                    path: path,
                    detail: "the file is of range \(found ?? -1), not of range \(identity)")
            }
            try checkIntegrity(of: connection, path: path, machine: machine, isThorough: isThorough)
        } catch let error as SQLiteError {
            throw StoreFile.translate(error, path: path)
        } catch let error as CatalogueError {
            throw error
        } catch {
            throw .failed(path: path, detail: "\(error)")
        }
    }

    /// Brings the tables of an older version up to date: all of it, or nothing.
    static func upgrade(
        _ connection: SQLiteConnection, path: String, machine: any StoreMachine
    ) throws {
        let version = try connection.integer("PRAGMA user_version") ?? 0
        guard version < machine.schemaVersion else { return }
        try connection.execute("BEGIN IMMEDIATE")
        guard try machine.upgrade(from: version, connection) else {
            try connection.execute("ROLLBACK")
            throw CatalogueError.unknownSchema(
                path: path, found: Int(version), known: Int(machine.schemaVersion))
        }
        try connection.execute("PRAGMA user_version = \(machine.schemaVersion)")
        try connection.execute("COMMIT")
    }

    private static func checkIntegrity(
        of connection: SQLiteConnection, path: String, machine: any StoreMachine, isThorough: Bool
    ) throws {
        let isSmall = (FileSync.size(path) ?? 0) <= CatalogueLimits.checkAtOpenBytesMax
        var checks = ["PRAGMA quick_check(1)"]
        if !isThorough && !isSmall {
            let names = try connection.prepare(
                "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            checks = []
            while try names.step() {
                let name = names.text(0)
                if !machine.largeTables.contains(name) {
                    checks.append("PRAGMA quick_check('\(name)')")
                }
            }
        }
        for check in checks {
            let answer = try connection.text(check) ?? "no answer"
            guard answer == "ok" else {
                throw CatalogueError.damaged(path: path, detail: answer)
            }
        }
    }

    static func write(note: [UInt8], to connection: SQLiteConnection) throws(SQLiteError) {
        try connection.statement(
            "INSERT OR REPLACE INTO facts (name, value) VALUES ('note', ?1)"
        ).bind(1, note).run()
    }

    static func note(on connection: SQLiteConnection) throws(SQLiteError) -> [UInt8] {
        let row = try connection.prepare("SELECT value FROM facts WHERE name = 'note'")
        return try row.step() ? row.bytes(0) : []
    }
}
