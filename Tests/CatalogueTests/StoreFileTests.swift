import Core
import Foundation
import Messages
import SwiftProtobuf
import Testing

@testable import Catalogue

/// What the file promises, whatever is in it.
struct StoreFileTests {
    private let scratch: ScratchDirectory
    private let range = RangeID(rawValue: 3)

    init() throws { scratch = try ScratchDirectory() }

    private func entries(_ count: Int, from first: UInt64 = 1) throws -> [CatalogueEntry] {
        var make = CommandMaker(seed: 5)
        return try (0..<count).map {
            CatalogueEntry(
                index: first + UInt64($0),
                payload: try make.putInline("k\($0)", String(repeating: "x", count: 500))
                    .serializedBytes())
        }
    }

    @Test func `an empty store has applied nothing`() throws {
        let store = try RangeStore.open(path: scratch.file("a"), range: range)
        #expect(store.appliedIndex == 0)
        #expect(store.durableIndex == 0)
        #expect(store.note.isEmpty)
        #expect(try store.apply([]).isEmpty)
    }

    @Test func `index and note come back with the content`() throws {
        let path = scratch.file("a")
        let store = try RangeStore.open(path: path, range: range)
        _ = try store.apply(entries(3), note: [1, 2])
        #expect(store.durableIndex == 0)
        #expect(try store.checkpoint() == 3)
        #expect(store.durableIndex == 3)
        // Entries of Raft's own move the index and nothing else.
        let results = try store.apply([CatalogueEntry(index: 4, payload: [])])
        #expect(results == [[]])
        _ = try store.apply([], note: [3])
        store.close()
        let again = try RangeStore.open(path: path, range: range)
        #expect(again.appliedIndex == 4)
        #expect(again.durableIndex == 4)
        #expect(again.note == [3])
    }

    @Test func `entries follow without a gap`() throws {
        let store = try RangeStore.open(path: scratch.file("a"), range: range)
        _ = try store.apply(entries(2))
        for first in [1, 2, 4] as [UInt64] {
            #expect(throws: CatalogueError.self) { try store.apply(entries(1, from: first)) }
        }
        _ = try store.apply(entries(1, from: 3))
        #expect(store.appliedIndex == 3)
    }

    @Test(arguments: 0..<12 as Range<UInt64>)
    func `a power cut leaves a prefix that replay completes`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let log = try entries(60)
        let whole = try RangeStore.open(path: scratch.file("whole"), range: range)
        _ = try whole.apply(log)
        let path = scratch.file("cut")
        let store = try RangeStore.open(path: path, range: range)
        let durableAt = Int.random(in: 0..<60, using: &random)
        for (number, entry) in log.enumerated() {
            _ = try store.apply([entry])
            if number + 1 == durableAt { _ = try store.checkpoint() }
        }
        // The process dies; of the log that was not synced, some bytes reached the disk.
        let copy = scratch.file("copy")
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        let wal = try Data(contentsOf: URL(fileURLWithPath: path + "-wal"))
        let kept = wal.prefix(Int.random(in: 0...wal.count, using: &random))
        try kept.write(to: URL(fileURLWithPath: copy + "-wal"))
        let recovered = try RangeStore.open(path: copy, range: range)
        #expect(recovered.appliedIndex >= UInt64(durableAt), "seed \(seed)")
        #expect(recovered.durableIndex == recovered.appliedIndex)
        _ = try recovered.apply(Array(log[Int(recovered.appliedIndex)...]))
        #expect(try recovered.contentDigest() == whole.contentDigest(), "seed \(seed)")
    }

    @Test func `a snapshot carries everything and replaces everything`() throws {
        let source = try RangeStore.open(path: scratch.file("a"), range: range)
        _ = try source.apply(entries(40), note: [7])
        let written = try source.writeSnapshot(to: scratch.file("snapshot"))
        #expect(written.appliedIndex == 40)
        #expect(written.note == [7])
        #expect(written.bytes > 0)
        let target = try RangeStore.open(path: scratch.file("b"), range: range)
        _ = try target.apply([CatalogueEntry(index: 1, payload: [])])
        #expect(try target.install(snapshot: scratch.file("snapshot")) == written)
        #expect(target.appliedIndex == 40)
        #expect(target.durableIndex == 40)
        #expect(target.note == [7])
        #expect(try target.contentDigest() == source.contentDigest())
        let more = try entries(1, from: 41)
        #expect(try target.apply(more) == source.apply(more))
        #expect(!FileManager.default.fileExists(atPath: scratch.file("snapshot")))
    }

    @Test func `a bad snapshot changes nothing`() throws {
        let source = try RangeStore.open(path: scratch.file("a"), range: range)
        _ = try source.apply(entries(200))
        let path = scratch.file("snapshot")
        _ = try source.writeSnapshot(to: path)
        let target = try RangeStore.open(path: scratch.file("b"), range: range)
        _ = try target.apply(entries(1))
        let digest = try target.contentDigest()
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: path))
        #expect(throws: CatalogueError.self) { try target.install(snapshot: path) }
        try Data("no database".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: CatalogueError.self) { try target.install(snapshot: path) }
        #expect(throws: CatalogueError.self) { try target.install(snapshot: "/nowhere") }
        // Of another range.
        let other = try RangeStore.open(path: scratch.file("c"), range: RangeID(rawValue: 9))
        _ = try other.writeSnapshot(to: path)
        #expect(throws: CatalogueError.self) { try target.install(snapshot: path) }
        #expect(try target.contentDigest() == digest)
        #expect(target.appliedIndex == 1)
    }

    @Test func `questions go on while a snapshot is installed`() async throws {
        let source = try RangeStore.open(path: scratch.file("a"), range: range)
        _ = try source.apply(entries(100))
        let target = try RangeStore.open(path: scratch.file("b"), range: range)
        let path = scratch.file("snapshot")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    for _ in 0..<300 {
                        let count = try target.list().objects.count
                        #expect(count == 0 || count == 100)
                    }
                }
            }
            group.addTask {
                for _ in 0..<5 {
                    _ = try source.writeSnapshot(to: path)
                    _ = try target.install(snapshot: path)
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func `a file of another version, range or kind is refused by name`() throws {
        let path = scratch.file("a")
        try RangeStore.open(path: path, range: range).close()
        func expectError(_ isExpected: (CatalogueError) -> Bool, _ body: () throws -> Void) {
            do {
                try body()
                Issue.record("the file was opened")
            } catch {
                #expect((error as? CatalogueError).map(isExpected) == true, "\(error)")
            }
        }
        expectError {
            if case .foreign = $0 { true } else { false }
        } _: {
            _ = try RangeStore.open(path: path, range: RangeID(rawValue: 4))
        }
        expectError {
            if case .foreign = $0 { true } else { false }
        } _: {
            _ = try SystemStore.open(path: path)
        }
        let connection = try SQLiteConnection(path: path, mode: .readWrite, cacheKiB: 100)
        try connection.execute("PRAGMA user_version = 99")
        expectError {
            $0 == .unknownSchema(path: path, found: 99, known: 2)
        } _: {
            _ = try RangeStore.open(path: path, range: range)
        }
        try Data(repeating: 0x41, count: 8192).write(to: URL(fileURLWithPath: scratch.file("b")))
        expectError {
            if case .damaged = $0 { true } else { false }
        } _: {
            _ = try RangeStore.open(path: scratch.file("b"), range: range)
        }
    }

    @Test func `a damaged page is found at open`() throws {
        let path = scratch.file("a")
        let store = try RangeStore.open(path: path, range: range)
        _ = try store.apply(entries(300))
        store.close()
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        let pages = try file.seekToEnd() / 4096
        for page in stride(from: pages / 2, to: pages, by: 3) {
            try file.seek(toOffset: page * 4096)
            try file.write(contentsOf: Data(repeating: 0xA5, count: 512))
        }
        try file.close()
        #expect(throws: CatalogueError.self) { try RangeStore.open(path: path, range: range) }
        try RangeStore.remove(path: path)
        #expect(try RangeStore.open(path: path, range: range).appliedIndex == 0)
    }

    /// Files live longer than programs: who changes the tables makes a new version and the way from
    /// the old one.
    @Test func `the tables of these versions are these`() throws {
        func digest(_ tables: [String]) -> String {
            Hex.encode(Digest.of(Array(tables.joined(separator: "\n").utf8), .sha256))
        }
        #expect(RangeMachine().schemaVersion == 2)
        #expect(
            digest(RangeMachine().schema)
                == "2508183b539f4c09165f348334fb6a0a113c6d34fa6136f402fa9fa5ea675558")
        #expect(SystemMachine().schemaVersion == 2)
        #expect(
            digest(SystemMachine().schema)
                == "f7117e6111232908b8c467caa94e79d7d58574ced0b1848b3b952fa6a707f58a")
        #expect(
            digest(CommandLedger.schema)
                == "e456c7db80a6150a43eeca193a387df696cd066317cf58da63fb604aaa35af59")
    }

    @Test func `the limits agree with each other`() { CatalogueLimits.check() }
}
