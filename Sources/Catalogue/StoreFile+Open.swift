import Core

/// Opening, copying back, closing.
extension StoreFile {
    static func openWriter(
        path: String, machine: any StoreMachine, identity: Int64
    ) throws(CatalogueError) -> (writer: StoreWriter, note: [UInt8]) {
        do {
            let connection = try SQLiteConnection(
                path: path, mode: .readWrite, cacheKiB: CatalogueLimits.writerCacheKiB)
            let isNew = try StoreSchema.isEmpty(connection)
            if isNew {
                try connection.execute("PRAGMA page_size = \(StoreSchema.pageBytes)")
            } else {
                try StoreSchema.verify(
                    connection, path: path, machine: machine, identity: identity,
                    isThorough: false)
            }
            let mode = try connection.text("PRAGMA journal_mode = WAL")
            guard mode == "wal" else {
                throw CatalogueError.failed(
                    path: path, detail: "no write-ahead log on this file system (\(mode ?? ""))")
            }
            try connection.execute("PRAGMA synchronous = NORMAL")
            connection.ownCheckpoints()
            if isNew {
                try StoreSchema.create(on: connection, machine: machine, identity: identity)
            } else {
                try StoreSchema.upgrade(connection, path: path, machine: machine)
            }
            return (try StoreWriter(connection: connection), try StoreSchema.note(on: connection))
        } catch let error as SQLiteError {
            throw translate(error, path: path)
        } catch let error as CatalogueError {
            throw error
        } catch {
            throw .failed(path: path, detail: "\(error)")
        }
    }

    /// Copies the write-ahead log back in two passes: the long one beside `apply`, then, with
    /// `apply` kept out, the little that came meanwhile; only so the log ever begins anew.
    func checkpoint() throws(CatalogueError) -> UInt64 {
        if Mutation.isOn(.checkpointWithoutCopy) {
            return try finishCheckpoint(index: appliedIndex, isComplete: true)
        }
        return try checkpointer.withLock { (connection) throws(CatalogueError) -> UInt64 in
            do {
                let copier = try connection ?? openCheckpointer()
                connection = copier
                _ = try copier.checkpointPassively()
                let (index, isComplete) = try writer.withLock {
                    (_) throws(SQLiteError) -> (UInt64, Bool) in
                    (appliedIndex, try copier.checkpointPassively())
                }
                return try finishCheckpoint(index: index, isComplete: isComplete)
            } catch let error as SQLiteError {
                throw translate(error)
            } catch let error as CatalogueError {
                throw error
            } catch {
                throw .failed(path: path, detail: "\(error)")
            }
        }
    }

    /// Where a reader kept the log from being copied, the log itself is synced: as durable.
    private func finishCheckpoint(
        index: UInt64, isComplete: Bool
    ) throws(CatalogueError) -> UInt64 {
        if !isComplete { _ = try FileSync.syncFile(path + "-wal") }
        durable.store(index, ordering: .releasing)
        return index
    }

    private func openCheckpointer() throws(SQLiteError) -> SQLiteConnection {
        let connection = try SQLiteConnection(
            path: path, mode: .readWrite, cacheKiB: CatalogueLimits.readerCacheKiB)
        try connection.execute("PRAGMA synchronous = NORMAL")
        connection.ownCheckpoints()
        return connection
    }

    func close() {
        // What cannot be copied back now is recovered from the log at the next start.
        _ = try? checkpoint()
        writer.withLock { $0 = nil }
        checkpointer.withLock { $0 = nil }
        for slot in readers { slot.connection.withLock { $0 = nil } }
    }
}
