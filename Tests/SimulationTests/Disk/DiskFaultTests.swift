import Core
import Foundation
import Testing

@testable import Simulation

extension DiskTests {
    @Suite struct DiskFaultTests {
        private let scratch: ScratchDirectory
        private let node: String
        private let file: SQLiteFile

        init() throws {
            scratch = try ScratchDirectory()
            node = try scratch.directory("node")
            file = try SQLiteFile(node + "/file")
            try file.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
            try file.run("CREATE TABLE t (x)")
        }

        private func insert() throws { try file.run("INSERT INTO t VALUES (zeroblob(500))") }

        /// Takes one more row, `count` then, and keeps all of them in power cuts.
        private func expectUsable(count: Int) throws {
            try insert()
            #expect(try file.integer("SELECT count(*) FROM t") == count)
            #expect(try file.text("PRAGMA integrity_check") == "ok")
            for seed in 0..<5 as Range<UInt64> {
                var random = SeededRandom(seed: seed)
                let copy = scratch.path + "/copy\(seed)"
                try SimulatedFiles.powerCut(from: node, to: copy, using: &random)
                let copied = try SQLiteFile(copy + "/file")
                #expect(try copied.integer("SELECT count(*) FROM t") == count)
            }
        }

        @Test func `a full disk takes nothing until there is room again`() throws {
            try insert()
            SimulatedFiles.setFaults(DiskFaults(bytesLeft: 0), under: node)
            for _ in 0..<3 { #expect(throws: SQLiteFailure.full) { try insert() } }
            #expect(try file.integer("SELECT count(*) FROM t") == 1)
            SimulatedFiles.liftFaults(under: node)
            try expectUsable(count: 2)
        }

        @Test func `a disk fills up after some bytes`() throws {
            SimulatedFiles.setFaults(DiskFaults(bytesLeft: 50_000), under: node)
            SimulatedFiles.resetCounters(under: node)
            var count = 0
            let error = #expect(throws: SQLiteFailure.self) {
                while true {
                    try insert()
                    count += 1
                }
            }
            #expect(error == .full)
            #expect(count > 3)
            #expect(SimulatedFiles.counters(under: node).bytesWritten == 50_000)
            #expect(SimulatedFiles.faults(under: node) == DiskFaults(bytesLeft: 0))
            SimulatedFiles.setFaults(DiskFaults(bytesLeft: 1 << 20), under: node)
            try expectUsable(count: count + 1)
            SimulatedFiles.liftFaults(under: node)
        }

        @Test func `a failed sync fails the commit`() throws {
            try insert()
            SimulatedFiles.setFaults(DiskFaults(failsSyncs: true), under: node)
            #expect(throws: SQLiteFailure.syncFailed) { try insert() }
            #expect(try SimulatedFiles.unsyncedCount(under: node) > 0)
            SimulatedFiles.liftFaults(under: node)
            #expect(try file.integer("SELECT count(*) FROM t") == 1)
            try expectUsable(count: 2)
        }

        @Test func `a failed read fails the query`() throws {
            for _ in 0..<20 { try insert() }
            try file.run("PRAGMA wal_checkpoint(TRUNCATE)")
            let reader = try SQLiteFile(node + "/file")
            SimulatedFiles.setFaults(DiskFaults(failsReads: true), under: node)
            #expect(throws: SQLiteFailure.readFailed) { try reader.rows("SELECT * FROM t") }
            SimulatedFiles.liftFaults(under: node)
            #expect(try reader.integer("SELECT count(*) FROM t") == 20)
            try expectUsable(count: 21)
        }

        @Test func `faults stay in their directory`() throws {
            let other = try SQLiteFile(try scratch.directory("node2") + "/file")
            try other.run("CREATE TABLE t (x)")
            SimulatedFiles.setFaults(
                DiskFaults(bytesLeft: 0, failsSyncs: true, failsReads: true), under: node)
            try other.run("INSERT INTO t VALUES (1)")
            #expect(try other.integer("SELECT count(*) FROM t") == 1)
            #expect(throws: SQLiteFailure.self) { try insert() }
            SimulatedFiles.liftFaults(under: node)
            SimulatedFiles.setFaults(DiskFaults(bytesLeft: 0), under: scratch.path)
            #expect(throws: SQLiteFailure.full) { try other.run("INSERT INTO t VALUES (2)") }
            #expect(throws: SQLiteFailure.full) { try insert() }
            SimulatedFiles.liftFaults(under: scratch.path)
            try expectUsable(count: 1)
        }

        @Test func `syncs and bytes are counted by directory`() throws {
            SimulatedFiles.resetCounters(under: scratch.path)
            #expect(SimulatedFiles.counters(under: node) == DiskCounters())
            try insert()
            let full = SimulatedFiles.counters(under: node)
            #expect(full.syncCount == 1)
            #expect(full.bytesWritten > 500)
            try file.run("PRAGMA synchronous = NORMAL")
            try insert()
            #expect(SimulatedFiles.counters(under: scratch.path + "/").syncCount == 1)
            #expect(SimulatedFiles.counters(under: scratch.path + "/nod") == DiskCounters())
        }
    }
}
