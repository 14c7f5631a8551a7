import Core
import Foundation
import GRDB
import Synchronization
import Testing

@testable import Simulation

extension DiskTests {
    /// The shim under GRDB, with the settings of the chunk index.
    @Suite struct DatabasePoolTests {
        private static func open(_ path: String) throws -> DatabasePool {
            SimulatedFiles.install()
            var configuration = Configuration()
            configuration.maximumReaderCount = 4
            configuration.prepareDatabase { db in
                try db.execute(sql: "PRAGMA synchronous = NORMAL")
                try db.execute(sql: "PRAGMA cache_size = -64")
            }
            return try DatabasePool(path: path, configuration: configuration)
        }

        @Test func `readers and a writer share one file`() throws {
            let scratch = try ScratchDirectory()
            let pool = try Self.open(scratch.path + "/index")
            try pool.write { db in
                try db.execute(sql: "CREATE TABLE t (a INTEGER, b INTEGER)")
            }
            let tornCount = Atomic(0)
            DispatchQueue.concurrentPerform(iterations: 5) { thread in
                for turn in 0..<200 {
                    if thread == 0 {
                        try? pool.write { db in
                            try db.execute(
                                sql: "INSERT INTO t VALUES (?, ?)", arguments: [turn, 1])
                            try db.execute(
                                sql: "INSERT INTO t VALUES (?, ?)", arguments: [turn, -1])
                        }
                    } else {
                        let sum = try? pool.read { db in
                            try Int.fetchOne(db, sql: "SELECT coalesce(sum(b), 0) FROM t")
                        }
                        if sum != 0 { tornCount.add(1, ordering: .relaxed) }
                    }
                }
            }
            #expect(tornCount.load(ordering: .relaxed) == 0)
            #expect(try pool.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM t") } == 400)
            #expect(SimulatedFiles.counters(under: scratch.path).bytesWritten > 400_000)
            try pool.close()
        }

        @Test(arguments: 0..<10 as Range<UInt64>)
        func `a pool lives through power cuts`(seed: UInt64) throws {
            let scratch = try ScratchDirectory()
            var random = SeededRandom(seed: seed)
            var directory = try scratch.directory("0")
            var count = 0
            for generation in 1...4 {
                let pool = try Self.open(directory + "/index")
                try pool.write { db in
                    try db.execute(sql: "CREATE TABLE IF NOT EXISTS t (x INTEGER PRIMARY KEY)")
                }
                let found = try pool.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM t") }
                #expect(found! >= count)
                #expect(
                    try pool.read { try Int.fetchOne($0, sql: "SELECT max(x) FROM t") } ?? 0
                        == found)
                count = found!
                for _ in 0..<10 {
                    count += 1
                    try pool.write { [count] db in
                        try db.execute(sql: "INSERT INTO t VALUES (?)", arguments: [count])
                    }
                }
                _ = try pool.writeWithoutTransaction { try $0.checkpoint(.truncate) }
                for more in 1...10 {
                    try pool.write { [count] db in
                        try db.execute(sql: "INSERT INTO t VALUES (?)", arguments: [count + more])
                    }
                }
                let copy = scratch.path + "/\(generation)"
                try SimulatedFiles.powerCut(from: directory, to: copy, using: &random)
                directory = copy
                try pool.close()
            }
        }
    }
}
