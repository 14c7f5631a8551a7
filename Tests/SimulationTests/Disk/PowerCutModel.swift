import Core
import Foundation
import Testing

@testable import Simulation

/// A database that lives through power cuts, beside the list of all states that it ever committed.
///
/// Each commit changes some rows and writes its own number; after a cut the number found tells
/// which state the file must hold, and whether it may be as old as that.
final class PowerCutModel {
    struct Mode: Sendable, CustomTestStringConvertible {
        let journal: String
        let synchronous: String
        /// Whether a commit is durable when it returns.
        var keepsCommits: Bool { synchronous == "FULL" }
        var testDescription: String { "\(journal) \(synchronous)" }
    }

    private let mode: Mode
    private let scratch: ScratchDirectory
    private var random: SeededRandom
    private(set) var directory: String
    private var generation = 0
    private var file: SQLiteFile
    /// Dead processes' connections; they are closed when they like.
    private var ghosts: [SQLiteFile] = []
    /// By commit number: the rows.
    private var states: [[Int: String]] = [[:]]
    /// The oldest commit that a cut may leave.
    private var floor = 0
    /// Promises that were broken. Empty at the end of a good world.
    private(set) var violations: [String] = []

    init(mode: Mode, seed: UInt64) throws {
        self.mode = mode
        random = SeededRandom(seed: seed)
        scratch = try ScratchDirectory()
        directory = try scratch.directory("0")
        file = try SQLiteFile(directory + "/model")
        try configure()
        try file.run(
            """
            CREATE TABLE rows (id INTEGER PRIMARY KEY, content TEXT);
            CREATE TABLE last (number INTEGER);
            INSERT INTO last VALUES (0);
            """)
        try checkpoint()
    }

    private func configure() throws {
        // Small, so that transactions spill into the files before they commit.
        try file.run(
            """
            PRAGMA page_size = 1024;
            PRAGMA journal_mode = \(mode.journal);
            PRAGMA synchronous = \(mode.synchronous);
            PRAGMA cache_size = 10;
            PRAGMA wal_autocheckpoint = \(random.next() % 2 == 0 ? 0 : 30);
            """)
    }

    /// Lives for some time, is cut from power, and starts again, `cutCount` times or until
    /// something is wrong.
    func run(cutCount: Int) throws {
        for _ in 0..<cutCount where violations.isEmpty {
            let isStopped = Int.random(in: 0..<3, using: &random) == 0
            if isStopped {
                let bytes = Int.random(in: 0...200_000, using: &random)
                SimulatedFiles.setFaults(DiskFaults(bytesLeft: bytes), under: directory)
            }
            do {
                try live()
            } catch let error as SQLiteFailure where isStopped && error == .full {
                // The power goes in the middle of whatever wrote the last byte.
            }
            SimulatedFiles.liftFaults(under: directory)
            try cut()
        }
    }

    private func live() throws {
        for _ in 0..<Int.random(in: 1...20, using: &random) {
            if Int.random(in: 0..<6, using: &random) == 0 { try checkpoint() }
            try commit()
        }
        if Int.random(in: 0..<2, using: &random) == 0 {
            // The power goes within a transaction.
            try file.run("BEGIN")
            _ = try change(states[states.count - 1])
        }
    }

    private func checkpoint() throws {
        guard mode.journal == "WAL" else { return }
        let kind = Bool.random(using: &random) ? "PASSIVE" : "TRUNCATE"
        let answer = try file.rows("PRAGMA wal_checkpoint(\(kind))")
        if answer[0][0] == "0", answer[0][1] == answer[0][2] { floor = states.count - 1 }
    }

    private func commit() throws {
        let number = states.count
        try file.run("BEGIN IMMEDIATE; UPDATE last SET number = \(number)")
        // Known before the commit: one that fails may have happened.
        states.append(try change(states[number - 1]))
        try file.run("COMMIT")
        if mode.keepsCommits { floor = number }
    }

    private func change(_ state: [Int: String]) throws -> [Int: String] {
        var state = state
        for _ in 0..<Int.random(in: 1...30, using: &random) {
            let id = Int.random(in: 0..<200, using: &random)
            if Int.random(in: 0..<4, using: &random) == 0 {
                state[id] = nil
                try file.run("DELETE FROM rows WHERE id = \(id)")
            } else {
                let letter = "abcdefgh".randomElement(using: &random) ?? "a"
                let count = Int.random(in: 0...900, using: &random)
                let content = String(repeating: letter, count: count) + "\(random.next())"
                state[id] = content
                try file.run("REPLACE INTO rows VALUES (\(id), '\(content)')")
            }
        }
        return state
    }

    private func cut() throws {
        let last = states.count - 1
        let before = try Files.content(of: directory)
        generation += 1
        let copy = scratch.path + "/\(generation)"
        try SimulatedFiles.powerCut(from: directory, to: copy, using: &random)
        if try Files.content(of: directory) != before {
            violations.append("the cut changed the old directory")
        }
        ghosts.append(file)
        if Bool.random(using: &random) { ghosts.removeAll() }
        directory = copy
        do {
            file = try SQLiteFile(directory + "/model")
            try configure()
            try verify(last: last)
        } catch let error as SQLiteFailure {
            violations.append("\(error)")
        }
    }

    private func verify(last: Int) throws {
        let integrity = try file.text("PRAGMA integrity_check")
        if integrity != "ok" { return violations.append(integrity) }
        let number = try file.integer("SELECT number FROM last")
        guard floor <= number, number <= last else {
            return violations.append("commit \(number), but \(floor)...\(last) were allowed")
        }
        var rows: [Int: String] = [:]
        for row in try file.rows("SELECT id, content FROM rows") { rows[Int(row[0])!] = row[1] }
        if rows != states[number] { violations.append("commit \(number) is not what it was") }
        states.removeLast(states.count - 1 - number)
        // What was found is in files that were never written by SQLite: it is there to stay.
        floor = number
    }
}
