import Core
import Foundation
import Testing

@testable import Simulation

extension DiskTests {
    /// What is known of files while others rename, link, sync and remove them.
    @Suite struct SyncTrackTests {
        private let scratch: ScratchDirectory
        private let node: String

        init() throws {
            scratch = try ScratchDirectory()
            node = try scratch.directory("node")
        }

        /// A closed file of one table with 50 rows that was never synced.
        private func makeUnsyncedFile(_ path: String) throws {
            let file = try SQLiteFile(path)
            try file.run("PRAGMA synchronous = OFF; CREATE TABLE t (x)")
            for _ in 0..<50 { try file.run("INSERT INTO t VALUES (randomblob(900))") }
        }

        /// How many of 40 power cuts damage the file of that name.
        private func damagedCount(_ name: String) throws -> Int {
            try (0..<40 as Range<UInt64>).count { seed in
                var random = SeededRandom(seed: seed)
                let copy = scratch.path + "/\(UUID().uuidString)"
                try SimulatedFiles.powerCut(from: node, to: copy, using: &random)
                do {
                    let file = try SQLiteFile(copy + "/" + name)
                    let isWhole =
                        try file.text("PRAGMA integrity_check") == "ok"
                        && file.integer("SELECT count(*) FROM t") == 50
                    return !isWhole
                } catch is SQLiteFailure {
                    return true
                }
            }
        }

        @Test func `a snapshot that is renamed into place unsynced is damaged`() throws {
            try makeUnsyncedFile(node + "/snapshot")
            try FileManager.default.moveItem(atPath: node + "/snapshot", toPath: node + "/file")
            #expect(try damagedCount("file") > 10)
        }

        @Test func `a snapshot that was synced before it was renamed is whole`() throws {
            try makeUnsyncedFile(node + "/snapshot")
            SimulatedFiles.synced(path: node + "/snapshot")
            #expect(try SimulatedFiles.unsyncedCount(under: node) == 0)
            try FileManager.default.moveItem(atPath: node + "/snapshot", toPath: node + "/file")
            #expect(try damagedCount("file") == 0)
        }

        @Test func `a sync under the new name counts for the same file`() throws {
            try makeUnsyncedFile(node + "/snapshot")
            try FileManager.default.moveItem(atPath: node + "/snapshot", toPath: node + "/file")
            SimulatedFiles.synced(path: node + "/file")
            #expect(try damagedCount("file") == 0)
        }

        @Test func `a sync before the last write does not cover it`() throws {
            let file = try SQLiteFile(node + "/file")
            try file.run("PRAGMA synchronous = OFF; CREATE TABLE t (x)")
            SimulatedFiles.synced(path: node + "/file")
            for _ in 0..<50 { try file.run("INSERT INTO t VALUES (randomblob(900))") }
            #expect(try damagedCount("file") > 10)
        }

        @Test func `what is lost leaves the very bytes of the last sync`() throws {
            let file = try SQLiteFile(node + "/file")
            try file.run("PRAGMA synchronous = OFF; PRAGMA journal_mode = OFF")
            try file.run("CREATE TABLE t (x)")
            for _ in 0..<50 { try file.run("INSERT INTO t VALUES (randomblob(900))") }
            SimulatedFiles.synced(path: node + "/file")
            let old = try Files.bytes(node + "/file")
            // Over old pages, to a smaller size, and to a larger one.
            try file.run("UPDATE t SET x = randomblob(900); DELETE FROM t WHERE rowid % 2")
            try file.run("VACUUM")
            for _ in 0..<50 { try file.run("INSERT INTO t VALUES (randomblob(900))") }
            let new = try Files.bytes(node + "/file")
            var copies: Set<[UInt8]> = []
            for seed in 0..<40 as Range<UInt64> {
                var random = SeededRandom(seed: seed)
                let copy = scratch.path + "/\(seed)"
                try SimulatedFiles.powerCut(from: node, to: copy, using: &random)
                copies.insert(try Files.bytes(copy + "/file"))
            }
            #expect(copies.contains(old) && copies.contains(new) && copies.count > 10)
        }

        @Test func `two names of a file share its fate and stay one file`() throws {
            try makeUnsyncedFile(node + "/one")
            try FileManager.default.linkItem(atPath: node + "/one", toPath: node + "/two")
            for seed in 0..<20 as Range<UInt64> {
                var random = SeededRandom(seed: seed)
                let copy = scratch.path + "/\(seed)"
                try SimulatedFiles.powerCut(from: node, to: copy, using: &random)
                let one = FileIdentity(path: copy + "/one")
                #expect(one != nil && one == FileIdentity(path: copy + "/two"))
            }
        }

        @Test func `files that SQLite does not know are copied as they are`() throws {
            let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
            try scratch.makeDirectory(node + "/a/b")
            try Files.write(bytes, to: node + "/a/b/segment")
            try Files.write([], to: node + "/empty")
            try FileManager.default.createSymbolicLink(
                atPath: node + "/link", withDestinationPath: "a/b")
            let hole = open(node + "/hole", O_WRONLY | O_CREAT, 0o600)
            ftruncate(hole, 8 << 20)
            pwrite(hole, [1, 2, 3], 3, 5 << 20)
            close(hole)
            let file = try SQLiteFile(node + "/file")
            try file.run("PRAGMA journal_mode = WAL; CREATE TABLE t (x)")
            #expect(Files.exists(node + "/file-shm"))

            let copy = scratch.path + "/copy"
            var random = SeededRandom(seed: 1)
            try SimulatedFiles.powerCut(from: node + "/", to: copy, using: &random)
            #expect(try Files.bytes(copy + "/link/segment") == bytes)
            #expect(try Files.bytes(copy + "/empty") == [])
            #expect(try Files.bytes(copy + "/hole") == Files.bytes(node + "/hole"))
            var status = stat()
            #expect(stat(copy + "/hole", &status) == 0 && status.st_blocks * 512 < 1 << 20)
            #expect(Files.exists(copy + "/file-wal") && !Files.exists(copy + "/file-shm"))
        }

        @Test func `a copy over an existing directory is refused`() throws {
            var random = SeededRandom(seed: 1)
            let error = #expect(throws: PowerCutError.self) {
                try SimulatedFiles.powerCut(
                    from: node, to: try scratch.directory("there"), using: &random)
            }
            #expect(error?.code == EEXIST)
        }

        @Test func `the dead process goes on without harm to the living`() throws {
            let dead = try SQLiteFile(node + "/file")
            try dead.run("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
            try dead.run("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
            var random = SeededRandom(seed: 5)
            let copy = scratch.path + "/copy"
            try SimulatedFiles.powerCut(from: node, to: copy, using: &random)
            let living = try SQLiteFile(copy + "/file")
            try dead.run("INSERT INTO t VALUES (2); PRAGMA wal_checkpoint(TRUNCATE)")
            try living.run("INSERT INTO t VALUES (3)")
            dead.close()
            #expect(try living.rows("SELECT x FROM t ORDER BY x") == [["1"], ["3"]])
            #expect(try SQLiteFile(node + "/file").rows("SELECT x FROM t") == [["1"], ["2"]])
        }

        @Test func `a removed file is forgotten`() throws {
            let before = SimulatedFiles.state.withLock { $0.files.count }
            for _ in 0..<5 {
                try makeUnsyncedFile(node + "/file")
                #expect(try SimulatedFiles.unsyncedCount(under: node) > 0)
                try FileManager.default.removeItem(atPath: node + "/file")
            }
            // What is over is noticed when SQLite opens or closes something.
            try SQLiteFile(node + "/other").run("CREATE TABLE t (x)")
            #expect(SimulatedFiles.state.withLock { $0.files.count } == before)
        }
    }
}
