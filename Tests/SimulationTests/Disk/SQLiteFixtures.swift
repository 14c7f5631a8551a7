import Core
import Foundation
import GRDBSQLite
import Testing

@testable import Simulation

/// All suites that use SQLite: one after the other, as they share its random numbers.
@Suite(.serialized) enum DiskTests {}

/// A directory, in memory where the system has such a place; gone with the value.
final class ScratchDirectory {
    let path: String

    init() throws {
        let memory = "/dev/shm"
        let base =
            FileManager.default.isWritableFile(atPath: memory)
            ? memory : FileManager.default.temporaryDirectory.path
        path = Paths.absolute(base + "/dst-disk-\(UUID().uuidString)")
        try makeDirectory(path)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func makeDirectory(_ path: String) throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    /// A directory in it, made.
    func directory(_ name: String) throws -> String {
        try makeDirectory(path + "/" + name)
        return path + "/" + name
    }
}

struct SQLiteFailure: Error, Equatable, CustomStringConvertible {
    let code: Int32
    let message: String

    var description: String { "SQLite \(code): \(message)" }

    static func == (one: SQLiteFailure, other: SQLiteFailure) -> Bool { one.code == other.code }

    static let full = SQLiteFailure(code: SQLITE_FULL, message: "")
    static let readFailed = SQLiteFailure(code: SQLITE_IOERR | 1 << 8, message: "")
    static let syncFailed = SQLiteFailure(code: SQLITE_IOERR | 4 << 8, message: "")
}

/// One raw connection.
final class SQLiteFile {
    private var handle: OpaquePointer?

    init(_ path: String) throws {
        SimulatedFiles.install()
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        try check(sqlite3_open_v2(path, &handle, flags, nil))
        sqlite3_extended_result_codes(handle, 1)
    }

    deinit { close() }

    func close() {
        sqlite3_close_v2(handle)
        handle = nil
    }

    func run(_ sql: String) throws { try check(sqlite3_exec(handle, sql, nil, nil, nil)) }

    /// The first two columns of all rows, as text.
    func rows(_ sql: String) throws -> [[String]] {
        var statement: OpaquePointer?
        try check(sqlite3_prepare_v2(handle, sql, -1, &statement, nil))
        defer { sqlite3_finalize(statement) }
        var rows: [[String]] = []
        while true {
            let code = sqlite3_step(statement)
            if code == SQLITE_DONE { return rows }
            guard code == SQLITE_ROW else { throw failure(code) }
            rows.append(
                (0..<sqlite3_column_count(statement)).map { column in
                    sqlite3_column_text(statement, column).map { String(cString: $0) } ?? ""
                })
        }
    }

    func text(_ sql: String) throws -> String { try rows(sql).first?.first ?? "" }

    func integer(_ sql: String) throws -> Int { Int(try text(sql)) ?? 0 }

    private func check(_ code: Int32) throws {
        if code != SQLITE_OK { throw failure(code) }
    }

    private func failure(_ code: Int32) -> SQLiteFailure {
        SQLiteFailure(code: code, message: String(cString: sqlite3_errmsg(handle)))
    }
}

/// Calls the system directly, as the product does.
enum Files {
    static func bytes(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// Every file below the directory, by its name.
    static func content(of directory: String) throws -> [String: [UInt8]] {
        var content: [String: [UInt8]] = [:]
        for name in try FileManager.default.subpathsOfDirectory(atPath: directory) {
            var isDirectory: ObjCBool = false
            let path = directory + "/" + name
            _ = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
            if !isDirectory.boolValue { content[name] = try bytes(path) }
        }
        return content
    }
}
