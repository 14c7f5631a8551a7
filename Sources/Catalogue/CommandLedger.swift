import Core
import Foundation

/// Remembers commands and their first results, so that a repeated command is applied once.
///
/// A repeat is the same bytes: same id, same time. Rows lie in the order of the proposers' times,
/// so that new ones are appended and old ones cut off in front; a lookup touches the last pages.
///
/// Old commands are forgotten by counted commands, never by a clock of this machine: after every
/// `ledgerBlock` commands the least time among them counts as the present, so that one proposer
/// whose clock is ahead makes nobody forget. What may have been forgotten is refused.
enum CommandLedger {
    static let schema = [
        """
        CREATE TABLE commands (
            time INTEGER NOT NULL, id BLOB NOT NULL, result BLOB NOT NULL,
            PRIMARY KEY (time, id)
        ) WITHOUT ROWID
        """
    ]

    enum Entry {
        case new
        case applied(result: [UInt8])
        /// So old that it may have been applied and forgotten.
        case forgotten
    }

    static func find(
        time: Int64, id: Data, in writer: StoreWriter
    ) throws(SQLiteError) -> Entry {
        if time < writer.registers[.forgottenBefore] { return .forgotten }
        let row = try writer.connection.statement(
            "SELECT result FROM commands WHERE time = ?1 AND id = ?2")
        row.bind(1, time).bind(2, id)
        defer { row.reset() }
        return try row.step() ? .applied(result: row.bytes(0)) : .new
    }

    static func add(
        time: Int64, id: Data, result: [UInt8], in writer: StoreWriter
    ) throws(SQLiteError) {
        try writer.connection.statement(
            "INSERT INTO commands (time, id, result) VALUES (?1, ?2, ?3)"
        ).bind(1, time).bind(2, id).bind(3, result).run()
        writer.registers[.ledgerRows] += 1
        let count = writer.registers.next(.commandCount)
        let isFirstOfBlock = count % CatalogueLimits.ledgerBlock == 1
        if isFirstOfBlock || time < writer.registers[.blockTime] {
            writer.registers[.blockTime] = time
        }
        if count % CatalogueLimits.ledgerBlock == 0 { try prune(in: writer) }
    }

    private static func prune(in writer: StoreWriter) throws(SQLiteError) {
        let connection = writer.connection
        let horizon = writer.registers[.blockTime] - CatalogueLimits.ledgerMilliseconds
        if horizon > writer.registers[.forgottenBefore] {
            writer.registers[.forgottenBefore] = horizon
        }
        let excess = Int(writer.registers[.ledgerRows]) - CatalogueLimits.ledgerCommandsMax
        if excess > 0 {
            let row = try connection.statement(
                "SELECT time FROM commands ORDER BY time, id LIMIT 1 OFFSET ?1")
            row.bind(1, excess)
            if try row.step(), row.integer(0) > writer.registers[.forgottenBefore] {
                writer.registers[.forgottenBefore] = row.integer(0)
            }
            row.reset()
        }
        try connection.statement("DELETE FROM commands WHERE time < ?1")
            .bind(1, writer.registers[.forgottenBefore]).run()
        writer.registers[.ledgerRows] -= Int64(connection.changeCount)
    }
}
