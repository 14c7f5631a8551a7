import Synchronization

/// The part that all stores share: one SQLite file in WAL mode, one connection that writes, a few
/// that read, one that copies the write-ahead log back.
///
/// ```
/// apply ──▶ writer ──▶ file-wal ──checkpoint──▶ file
/// answer ─▶ reader 0…3 (a free one)   each answer from one committed state
/// ```
///
/// A commit is not synced (`synchronous = NORMAL`): what a power cut takes is replayed from the
/// Raft log, which is kept from ``durableIndex`` on.
final class StoreFile: Sendable {
    /// One reading connection, opened when first needed.
    final class ReaderSlot: Sendable {
        let connection = Mutex<SQLiteConnection?>(nil)
    }

    let path: String
    let machine: any StoreMachine
    /// Which range this is; in the file, so that files cannot be mixed up.
    let identity: Int64
    /// `nil` once closed.
    let writer: Mutex<StoreWriter?>
    let checkpointer: Mutex<SQLiteConnection?>
    let readers: [ReaderSlot]
    private let turn = Atomic<Int>(0)
    let applied: Atomic<UInt64>
    let durable: Atomic<UInt64>
    let noteBytes: Mutex<[UInt8]>

    init(path: String, machine: any StoreMachine, identity: Int64) throws(CatalogueError) {
        self.path = path
        self.machine = machine
        self.identity = identity
        let opened = try Self.openWriter(path: path, machine: machine, identity: identity)
        applied = Atomic(UInt64(bitPattern: opened.writer.registers[.applied]))
        durable = Atomic(0)
        noteBytes = Mutex(opened.note)
        writer = Mutex(opened.writer)
        checkpointer = Mutex(nil)
        readers = (0..<CatalogueLimits.readersMax).map { _ in ReaderSlot() }
        try FileSync.syncDirectory(of: path)
        _ = try checkpoint()
    }

    var appliedIndex: UInt64 { applied.load(ordering: .acquiring) }
    var durableIndex: UInt64 { durable.load(ordering: .acquiring) }
    var note: [UInt8] { noteBytes.withLock { $0 } }

    // MARK: Applying

    func apply(
        _ entries: [CatalogueEntry], note: [UInt8]?
    ) throws(CatalogueError) -> [[UInt8]] {
        if entries.isEmpty && note == nil { return [] }
        return try writer.withLock { (writer) throws(CatalogueError) -> [[UInt8]] in
            guard let writer, !writer.isBroken else {
                throw .failed(path: path, detail: "the store is closed, or failed before")
            }
            var next = appliedIndex + 1
            for entry in entries {
                guard entry.index == next else {
                    throw .gap(path: path, appliedIndex: next - 1, nextIndex: entry.index)
                }
                next += 1
            }
            do throws(SQLiteError) {
                let results = try commit(entries, note: note, by: writer)
                applied.store(next - 1, ordering: .releasing)
                if let note { noteBytes.withLock { $0 = note } }
                return results
            } catch {
                writer.isBroken = true
                throw translate(error)
            }
        }
    }

    private func commit(
        _ entries: [CatalogueEntry], note: [UInt8]?, by writer: StoreWriter
    ) throws(SQLiteError) -> [[UInt8]] {
        let connection = writer.connection
        try connection.statement("BEGIN IMMEDIATE").run()
        do throws(SQLiteError) {
            var results: [[UInt8]] = []
            results.reserveCapacity(entries.count)
            for entry in entries {
                results.append(
                    entry.payload.isEmpty ? [] : try machine.execute(entry.payload, in: writer))
            }
            if let last = entries.last {
                writer.registers[.applied] = Int64(bitPattern: last.index)
            }
            try writer.registers.write(to: connection)
            if let note { try StoreSchema.write(note: note, to: connection) }
            try connection.statement("COMMIT").run()
            try limitWriteAheadLog(of: connection)
            return results
        } catch {
            try? connection.execute("ROLLBACK")
            throw error
        }
    }

    private func limitWriteAheadLog(of connection: SQLiteConnection) throws(SQLiteError) {
        let pages = connection.writeAheadPages
        // A reader may hold the log (a snapshot is being written): do not try at every commit.
        if pages > CatalogueLimits.writeAheadPagesMax && pages % 64 == 0 {
            _ = try connection.checkpointPassively()
        }
    }

    // MARK: Answering

    func answer(_ query: [UInt8]) throws(CatalogueError) -> [UInt8] {
        try withReader { (connection) throws(SQLiteError) -> [UInt8] in
            try machine.answer(query, on: connection)
        }
    }

    /// Lends a reading connection: a free one, or else the next in turn.
    func withReader(
        _ body: (SQLiteConnection) throws(SQLiteError) -> [UInt8]
    ) throws(CatalogueError) -> [UInt8] {
        func use(_ connection: inout SQLiteConnection?) throws(SQLiteError) -> [UInt8] {
            if let connection { return try body(connection) }
            let opened = try SQLiteConnection(
                path: path, mode: .readOnly, cacheKiB: CatalogueLimits.readerCacheKiB)
            connection = opened
            return try body(opened)
        }
        do throws(SQLiteError) {
            for slot in readers {
                let answer = try slot.connection.withLockIfAvailable {
                    (connection) throws(SQLiteError) -> [UInt8] in try use(&connection)
                }
                if let answer { return answer }
            }
            let number = turn.wrappingAdd(1, ordering: .relaxed).newValue
            let slot = readers[Int(UInt(bitPattern: number) % UInt(readers.count))]
            return try slot.connection.withLock { (connection) throws(SQLiteError) -> [UInt8] in
                try use(&connection)
            }
        } catch {
            throw translate(error)
        }
    }

    func translate(_ error: SQLiteError) -> CatalogueError {
        Self.translate(error, path: path)
    }

    static func translate(_ error: SQLiteError, path: String) -> CatalogueError {
        if error.isFull { return .full(path: path) }
        if error.isDamage { return .damaged(path: path, detail: error.message) }
        return .failed(path: path, detail: "SQLite \(error.code): \(error.message)")
    }
}
