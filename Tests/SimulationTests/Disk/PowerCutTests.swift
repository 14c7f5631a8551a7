import Core
import Foundation
import Testing

@testable import Simulation

extension DiskTests {
    @Suite struct PowerCutTests {
        private static let safeModes = [
            PowerCutModel.Mode(journal: "WAL", synchronous: "NORMAL"),
            PowerCutModel.Mode(journal: "WAL", synchronous: "FULL"),
            PowerCutModel.Mode(journal: "DELETE", synchronous: "FULL"),
            PowerCutModel.Mode(journal: "TRUNCATE", synchronous: "FULL"),
        ]

        @Test(arguments: safeModes, 0..<16 as Range<UInt64>)
        func `SQLite keeps its promises`(mode: PowerCutModel.Mode, seed: UInt64) throws {
            let model = try PowerCutModel(mode: mode, seed: seed)
            try model.run(cutCount: 6)
            #expect(model.violations.isEmpty, "\(mode.testDescription), seed \(seed)")
        }

        /// The net: without syncs the same model loses what it must not.
        @Test(arguments: ["WAL", "DELETE"])
        func `without syncs it does not`(journal: String) throws {
            let mode = PowerCutModel.Mode(journal: journal, synchronous: "OFF")
            var brokenCount = 0
            for seed in 0..<16 as Range<UInt64> {
                let model = try PowerCutModel(mode: mode, seed: seed)
                try model.run(cutCount: 6)
                if !model.violations.isEmpty { brokenCount += 1 }
            }
            #expect(brokenCount > 8, "of 16")
        }

        @Test func `commits that no sync covers are lost in some cuts and kept in others`() throws {
            let scratch = try ScratchDirectory()
            let file = try SQLiteFile(try scratch.directory("node") + "/file")
            try file.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
            try file.run("CREATE TABLE t (x); PRAGMA wal_checkpoint(TRUNCATE)")
            for x in 0..<5 { try file.run("INSERT INTO t VALUES (\(x))") }
            var counts: Set<Int> = []
            for seed in 0..<60 as Range<UInt64> {
                var random = SeededRandom(seed: seed)
                let copy = scratch.path + "/\(seed)"
                try SimulatedFiles.powerCut(
                    from: scratch.path + "/node", to: copy, using: &random)
                counts.insert(try SQLiteFile(copy + "/file").integer("SELECT count(*) FROM t"))
            }
            #expect(counts.isSuperset(of: [0, 5]) && counts.count > 2, "\(counts)")
            #expect(try file.integer("SELECT count(*) FROM t") == 5)
        }

        @Test func `pages are torn, and the log heals them`() throws {
            let scratch = try ScratchDirectory()
            let node = try scratch.directory("node")
            let file = try SQLiteFile(node + "/file")
            try file.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
            try file.run("CREATE TABLE t (x); PRAGMA wal_checkpoint(TRUNCATE)")
            let old = try Files.bytes(node + "/file")
            for _ in 0..<20 { try file.run("INSERT INTO t VALUES (randomblob(2000))") }
            // The log is synced, and some of the pages are copied: those may be torn.
            SimulatedFiles.setFaults(DiskFaults(bytesLeft: 30_000), under: node)
            #expect(throws: SQLiteFailure.full) { try file.run("PRAGMA wal_checkpoint(FULL)") }
            SimulatedFiles.liftFaults(under: node)
            let new = try Files.bytes(node + "/file")
            var tornCount = 0
            for seed in 0..<40 as Range<UInt64> {
                var random = SeededRandom(seed: seed)
                let copy = scratch.path + "/\(seed)"
                try SimulatedFiles.powerCut(from: node, to: copy, using: &random)
                tornCount += Self.tornPageCount(try Files.bytes(copy + "/file"), old, new)
                let revived = try SQLiteFile(copy + "/file")
                #expect(try revived.text("PRAGMA integrity_check") == "ok")
                #expect(try revived.integer("SELECT count(*) FROM t") == 20)
            }
            #expect(tornCount > 0)
        }

        /// Pages that are neither the old nor the new ones.
        private static func tornPageCount(
            _ found: [UInt8], _ old: [UInt8], _ new: [UInt8]
        ) -> Int {
            stride(from: 0, to: found.count, by: 4096).count { start in
                func page(_ bytes: [UInt8]) -> [UInt8] {
                    let part = Array(bytes.dropFirst(start).prefix(4096))
                    return part + [UInt8](repeating: 0, count: 4096 - part.count)
                }
                return page(found) != page(old) && page(found) != page(new)
            }
        }

        @Test func `the same seed leaves the same bytes`() throws {
            func world(_ seed: UInt64) throws -> [String: [UInt8]] {
                SimulatedFiles.seed(seed)
                let mode = PowerCutModel.Mode(journal: "WAL", synchronous: "NORMAL")
                let model = try PowerCutModel(mode: mode, seed: seed)
                try model.run(cutCount: 4)
                return try Files.content(of: model.directory).filter { !$0.key.hasSuffix("-shm") }
            }
            let first = try world(3)
            #expect(first["model-wal"] != nil)
            #expect(try world(3) == first)
            #expect(try world(4) != first)
        }
    }
}
