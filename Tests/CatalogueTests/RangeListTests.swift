import Core
import Foundation
import Messages
import Testing

@testable import Catalogue

/// Listings, against a model that sorts all keys and folds them one by one.
struct RangeListTests {
    private let scratch: ScratchDirectory
    private let store: RangeStore

    init() throws {
        scratch = try ScratchDirectory()
        store = try RangeStore.open(path: scratch.file("range"), range: RangeID(rawValue: 1))
    }

    private func fill(_ keys: some Sequence<Data>, make: inout CommandMaker) throws {
        for key in keys {
            _ = try store.apply(
                make.range {
                    $0.putObject.bucket = 1
                    $0.putObject.key = key
                    $0.putObject.head = CommandMaker.head(key.count, etag: "e")
                    $0.putObject.body = CommandMaker.inline("x")
                })
        }
    }

    /// All entries, folded: the obvious way.
    private static func model(_ keys: Set<Data>, prefix: Data, delimiter: Data) -> [Data] {
        var entries: [Data] = []
        for key in keys.sorted(by: { $0.lexicographicallyPrecedes($1) })
        where key.starts(with: prefix) {
            var entry = key
            if !delimiter.isEmpty, let found = key.dropFirst(prefix.count).range(of: delimiter) {
                entry = Data(key[..<found.upperBound])
            }
            if entries.last != entry { entries.append(entry) }
        }
        return entries
    }

    @Test(arguments: 0..<25 as Range<UInt64>)
    func `pages agree with the obvious model`(seed: UInt64) throws {
        var make = CommandMaker(seed: seed)
        let alphabet: [UInt8] = [0x2F, 0x61, 0x62, 0x2F, 0x7A, 0xF4]
        var keys: Set<Data> = []
        for _ in 0..<150 {
            let count = Int.random(in: 1...9, using: &make.random)
            keys.insert(Data((0..<count).map { _ in alphabet.randomElement(using: &make.random)! }))
        }
        try fill(keys, make: &make)
        for _ in 0..<25 {
            let source = keys.randomElement(using: &make.random)!
            let prefix = source.prefix(Int.random(in: 0...3, using: &make.random))
            let delimiter = [Data(), Data([0x2F]), Data([0x2F, 0x61])]
                .randomElement(using: &make.random)!
            let limit = Int.random(in: 1...20, using: &make.random)
            let expected = Self.model(keys, prefix: Data(prefix), delimiter: delimiter)
            var listed: [Data] = []
            var after = Data()
            while true {
                let page = try store.ask { (query: inout ProtoRangeQuery) in
                    query.listObjects.bucket = 1
                    query.listObjects.prefix = Data(prefix)
                    query.listObjects.delimiter = delimiter
                    query.listObjects.after = after
                    query.listObjects.limit = UInt32(limit)
                }.objects
                let entries = (page.objects.map(\.key) + page.commonPrefixes)
                    .sorted { $0.lexicographicallyPrecedes($1) }
                #expect(entries.count <= limit)
                listed += entries
                if !page.isTruncated { break }
                #expect(page.nextAfter == entries.last, "seed \(seed)")
                after = page.nextAfter
                if listed.count > 1000 { break }
            }
            #expect(listed == expected, "seed \(seed)")
        }
    }

    @Test func `rows carry what a listing shows`() throws {
        var make = CommandMaker()
        var put = make.put("k", size: 123_456, etag: "etag")
        put.putObject.head.modifiedMs = 42
        put.putObject.head.checksum.algorithm = .crc64Nvme
        put.putObject.head.checksum.isComposite = true
        _ = try store.apply(put)
        let row = try #require(try store.list().objects.first)
        #expect(row.key == Data("k".utf8))
        #expect(row.size == 123_456)
        #expect(row.etag == "etag")
        #expect(row.modifiedMs == 42)
        #expect(row.checksumAlgorithm == .crc64Nvme)
        #expect(row.checksumIsComposite)
    }

    @Test func `an entry after which to go on may be anything`() throws {
        var make = CommandMaker()
        try fill(["a", "b/1", "b/2", "c", "d/1"].map { Data($0.utf8) }, make: &make)
        #expect(try store.list(after: "b").objects.map(\.key).count == 4)
        #expect(try store.list(delimiter: "/", after: "b/").objects.map(\.key) == [Data("c".utf8)])
        #expect(try store.list(delimiter: "/", after: "b/").commonPrefixes == [Data("d/".utf8)])
        // Inside a common prefix: the rest of it still shows.
        let inside = try store.list(delimiter: "/", after: "b/1")
        #expect(inside.commonPrefixes == [Data("b/".utf8), Data("d/".utf8)])
        #expect(try store.list(prefix: "b/", after: "zzz").objects.isEmpty)
        #expect(try store.list(prefix: "b/", after: "a").objects.count == 2)
        #expect(try store.list(limit: 0).isTruncated == false)
        #expect(try store.list(limit: 0).objects.isEmpty)
        #expect(try store.list(limit: 5).isTruncated == false)
        #expect(try store.list(limit: 4).isTruncated)
    }

    @Test func `keys of nothing but the highest byte end the scan`() throws {
        var make = CommandMaker()
        let high = Data([0xFF, 0xFF])
        try fill([high, high + [0xFF], high + [1]], make: &make)
        let page = try store.ask { (query: inout ProtoRangeQuery) in
            query.listObjects.bucket = 1
            query.listObjects.delimiter = Data([0xFF])
            query.listObjects.limit = 10
        }.objects
        #expect(page.commonPrefixes == [Data([0xFF])])
        #expect(!page.isTruncated)
    }

    @Test func `a common prefix is passed over, not read`() throws {
        var make = CommandMaker()
        try fill(
            (0..<3000).map { Data("dir/\(String(format: "%06d", $0))".utf8) } + [Data("e".utf8)],
            make: &make)
        var steps = 0
        var scan = KeyScan(prefix: [], delimiter: [0x2F], limit: 10)
        let connection = try SQLiteConnection(
            path: scratch.file("range"), mode: .readOnly, cacheKiB: 1024)
        var seeks = 0
        try scan.run(from: []) { (key: [UInt8]) throws(SQLiteError) -> SQLiteStatement in
            seeks += 1
            return try connection.statement(
                "SELECT key FROM heads WHERE bucket = ?1 AND key >= ?2 ORDER BY key"
            ).bind(1, RangeSchema.column(1)).bind(2, key)
        } entry: { _ in
            steps += 1
        } commonPrefix: { _ in
            steps += 1
        }
        #expect(steps == 2)
        #expect(seeks == 2)
    }
}
