import Core

/// Snapshots: a copy of the file's pages, and taking one in.
extension StoreFile {
    func writeSnapshot(to target: String) throws(CatalogueError) -> CatalogueSnapshot {
        try Self.removeFiles(at: target)
        let applied: UInt64
        let note: [UInt8]
        do throws(SQLiteError) {
            let source = try SQLiteConnection(
                path: path, mode: .readOnly, cacheKiB: CatalogueLimits.readerCacheKiB)
            let copy = try SQLiteConnection(
                path: target, mode: .readWrite, cacheKiB: CatalogueLimits.readerCacheKiB)
            // Synced as a whole below.
            try copy.execute("PRAGMA synchronous = OFF")
            try source.copy(to: copy)
            if Mutation.isOn(.snapshotOmitsBodies) { try? copy.execute("DELETE FROM bodies") }
            // One file, without a log beside it.
            try copy.execute("PRAGMA journal_mode = DELETE")
            applied = UInt64(bitPattern: try Registers.read(.applied, on: copy))
            note = try StoreSchema.note(on: copy)
        } catch {
            throw Self.translate(error, path: target)
        }
        _ = try FileSync.syncFile(target)
        try FileSync.syncDirectory(of: target)
        return CatalogueSnapshot(
            appliedIndex: applied, note: note, bytes: FileSync.size(target) ?? 0)
    }

    func install(snapshot source: String) throws(CatalogueError) -> CatalogueSnapshot {
        let snapshot = try verify(snapshot: source)
        _ = try FileSync.syncFile(source)
        try checkpointer.withLock { (checkpointer) throws(CatalogueError) in
            try writer.withLock { (writer) throws(CatalogueError) in
                try withReadersClosed(from: 0) { () throws(CatalogueError) in
                    writer?.isBroken = true
                    checkpointer = nil
                    writer = nil
                    try swap(in: source)
                    let opened = try Self.openWriter(
                        path: path, machine: machine, identity: identity)
                    // The snapshot had a rollback journal until now. Were it back after a power
                    // cut, it would be played over what a checkpoint has brought meanwhile.
                    try FileSync.syncDirectory(of: path)
                    writer = opened.writer
                    noteBytes.withLock { $0 = opened.note }
                    applied.store(snapshot.appliedIndex, ordering: .releasing)
                    durable.store(snapshot.appliedIndex, ordering: .releasing)
                }
            }
        }
        return snapshot
    }

    /// Replaces the closed file. The last connection to close has copied its log back and removed
    /// it; were one left, or brought back by a power cut, it would be replayed over the wrong file.
    private func swap(in source: String) throws(CatalogueError) {
        guard FileSync.size(path + "-wal") == nil else {
            throw .failed(path: path, detail: "the old write-ahead log could not be removed")
        }
        try FileSync.syncDirectory(of: path)
        try FileSync.rename(source, to: path)
        try FileSync.syncDirectory(of: path)
    }

    private func withReadersClosed(
        from number: Int, _ body: () throws(CatalogueError) -> Void
    ) throws(CatalogueError) {
        guard number < readers.count else { return try body() }
        try readers[number].connection.withLock { (connection) throws(CatalogueError) in
            connection = nil
            try withReadersClosed(from: number + 1, body)
        }
    }

    private func verify(snapshot source: String) throws(CatalogueError) -> CatalogueSnapshot {
        guard let bytes = FileSync.size(source) else {
            throw .failed(path: source, detail: "there is no such file")
        }
        do {
            let connection = try SQLiteConnection(
                path: source, mode: .readWrite, cacheKiB: CatalogueLimits.readerCacheKiB)
            try StoreSchema.verify(
                connection, path: source, machine: machine, identity: identity, isThorough: true)
            return CatalogueSnapshot(
                appliedIndex: UInt64(bitPattern: try Registers.read(.applied, on: connection)),
                note: try StoreSchema.note(on: connection), bytes: bytes)
        } catch let error as SQLiteError {
            throw Self.translate(error, path: source)
        } catch let error as CatalogueError {
            throw error
        } catch {
            throw .failed(path: source, detail: "\(error)")
        }
    }

    /// Removes a store's files, for a replica that begins anew.
    static func removeFiles(at path: String) throws(CatalogueError) {
        for suffix in ["-wal", "-shm", "-journal", ""] { try FileSync.remove(path + suffix) }
    }

    // MARK: Comparing replicas

    /// SHA-256 over every row of every table: equal on replicas that applied the same entries.
    func contentDigest() throws(CatalogueError) -> [UInt8] {
        try withReader { (connection) throws(SQLiteError) -> [UInt8] in
            try connection.execute("BEGIN")
            defer { try? connection.execute("COMMIT") }
            var digest = Digest(.sha256)
            let tables = try connection.prepare(
                "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            while try tables.step() {
                let name = tables.text(0)
                digest.update(Array(name.utf8))
                let rows = try connection.prepare("SELECT * FROM \"\(name)\"")
                while try rows.step() {
                    for column in 0..<rows.columnCount { digest.update(rows.canonical(column)) }
                }
            }
            return digest.finish()
        }
    }
}
