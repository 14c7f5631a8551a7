import Foundation
import GRDBSQLite

/// A prepared statement. Parameters count from 1, columns from 0, as SQLite has it.
final class SQLiteStatement {
    private let handle: OpaquePointer
    private let connection: OpaquePointer

    init(_ sql: String, on connection: OpaquePointer, isKept: Bool) throws(SQLiteError) {
        var handle: OpaquePointer?
        let flags = isKept ? UInt32(SQLITE_PREPARE_PERSISTENT) : 0
        let code = sqlite3_prepare_v3(connection, sql, -1, flags, &handle, nil)
        guard code == SQLITE_OK, let handle else {
            let message = String(cString: sqlite3_errmsg(connection))
            throw SQLiteError(code: code, message: "\(message): \(sql)")
        }
        self.handle = handle
        self.connection = connection
    }

    deinit { sqlite3_finalize(handle) }

    func reset() { sqlite3_reset(handle) }

    /// - Returns: Whether there is a row.
    func step() throws(SQLiteError) -> Bool {
        switch sqlite3_step(handle) {
        case SQLITE_ROW: return true
        case SQLITE_DONE:
            sqlite3_reset(handle)
            return false
        case let code:
            let message = String(cString: sqlite3_errmsg(connection))
            sqlite3_reset(handle)
            throw SQLiteError(code: code, message: message)
        }
    }

    /// Runs to the end; for statements without rows.
    func run() throws(SQLiteError) {
        while try step() {}
    }

    // MARK: Parameters

    @discardableResult
    func bind(_ index: Int32, _ value: Int64) -> Self {
        sqlite3_bind_int64(handle, index, value)
        return self
    }

    @discardableResult
    func bind(_ index: Int32, _ value: Int) -> Self { bind(index, Int64(value)) }

    @discardableResult
    func bind(_ index: Int32, _ text: String) -> Self {
        var text = text
        text.withUTF8 { bytes in
            bytes.withMemoryRebound(to: CChar.self) { bytes in
                // A null pointer would bind NULL, not the empty text.
                if let start = bytes.baseAddress {
                    _ = sqlite3_bind_text(handle, index, start, Int32(bytes.count), Self.copied)
                } else {
                    _ = sqlite3_bind_text(handle, index, "", 0, Self.copied)
                }
            }
        }
        return self
    }

    @discardableResult
    func bind(_ index: Int32, _ bytes: [UInt8]) -> Self {
        bytes.withUnsafeBytes { bind(index, $0) }
        return self
    }

    @discardableResult
    func bind(_ index: Int32, _ bytes: Data) -> Self {
        bytes.withUnsafeBytes { bind(index, $0) }
        return self
    }

    @discardableResult
    func bindNothing(_ index: Int32) -> Self {
        sqlite3_bind_null(handle, index)
        return self
    }

    private func bind(_ index: Int32, _ bytes: UnsafeRawBufferPointer) {
        // A null pointer would bind NULL, not the empty blob.
        if bytes.isEmpty {
            sqlite3_bind_zeroblob(handle, index, 0)
        } else {
            sqlite3_bind_blob(handle, index, bytes.baseAddress, Int32(bytes.count), Self.copied)
        }
    }

    /// SQLite copies what is bound.
    private static var copied: sqlite3_destructor_type {
        unsafeBitCast(-1, to: sqlite3_destructor_type.self)
    }

    // MARK: Columns

    func integer(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    func isNothing(_ column: Int32) -> Bool {
        sqlite3_column_type(handle, column) == SQLITE_NULL
    }

    /// The column's bytes, valid until the next step.
    func withBytes<Value>(_ column: Int32, _ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        let pointer = sqlite3_column_blob(handle, column)
        let count = Int(sqlite3_column_bytes(handle, column))
        return body(UnsafeRawBufferPointer(start: pointer, count: pointer == nil ? 0 : count))
    }

    func bytes(_ column: Int32) -> [UInt8] { withBytes(column) { Array($0) } }

    func data(_ column: Int32) -> Data { withBytes(column) { Data($0) } }

    func text(_ column: Int32) -> String {
        withBytes(column) { String(decoding: $0, as: UTF8.self) }
    }

    // MARK: Any statement, for digests

    var columnCount: Int32 { sqlite3_column_count(handle) }

    /// A form of the column that differs where type or value differ.
    func canonical(_ column: Int32) -> [UInt8] {
        let type = sqlite3_column_type(handle, column)
        let content =
            type == SQLITE_INTEGER
            ? withUnsafeBytes(of: integer(column).bigEndian) { Array($0) } : bytes(column)
        return [UInt8(truncatingIfNeeded: type)]
            + withUnsafeBytes(of: UInt32(content.count).bigEndian) { Array($0) } + content
    }
}
