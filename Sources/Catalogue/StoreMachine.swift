/// The rules of one kind of store: what a command does and what a question finds. Stateless; all
/// state is in the file.
protocol StoreMachine: Sendable {
    /// In the file's header, so that a file tells what it is.
    var applicationID: Int64 { get }
    /// Of the tables below. Another version in a file is refused.
    var schemaVersion: Int64 { get }
    /// Brings the tables of an older version up to date, within a transaction.
    ///
    /// - Returns: `false` for a version that it does not know; then nothing was changed.
    func upgrade(from version: Int64, _ connection: SQLiteConnection) throws(SQLiteError) -> Bool
    var schema: [String] { get }
    /// Tables that grow with the content; not read through at open in large files.
    var largeTables: Set<String> { get }

    /// Applies one command and answers its result.
    ///
    /// The rule that makes a command atomic: everything is checked before anything is written. An
    /// error thrown stops the store.
    func execute(_ payload: [UInt8], in writer: StoreWriter) throws(SQLiteError) -> [UInt8]

    func answer(_ query: [UInt8], on connection: SQLiteConnection) throws(SQLiteError) -> [UInt8]
}

extension StoreMachine {
    func upgrade(from version: Int64, _ connection: SQLiteConnection) throws(SQLiteError) -> Bool {
        false
    }
}

/// The one connection that writes, and what it keeps in memory.
///
/// Unchecked: it lies in `StoreFile.writer` and is used under that lock only.
final class StoreWriter: @unchecked Sendable {
    let connection: SQLiteConnection
    var registers: Registers
    /// Set by an error: memory and file may differ, so nothing more is applied.
    var isBroken = false

    init(connection: SQLiteConnection) throws(SQLiteError) {
        self.connection = connection
        registers = try Registers(from: connection)
    }
}
