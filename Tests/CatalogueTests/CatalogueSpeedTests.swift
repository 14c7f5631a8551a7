import Core
import Foundation
import Messages
import Testing

@testable import Catalogue

/// Measures, and checks the aims; only in release builds and when asked for (`DST_BENCH=1`).
@Suite(.enabled(if: ProcessInfo.processInfo.environment["DST_BENCH"] != nil), .serialized)
struct CatalogueSpeedTests {
    private let scratch: ScratchDirectory
    private let store: RangeStore

    init() throws {
        scratch = try ScratchDirectory()
        store = try RangeStore.open(path: scratch.file("range"), range: RangeID(rawValue: 1))
    }

    /// Microseconds of this process's processor time for each of `count` operations.
    private func cost(
        _ name: String, count: Int, _ body: () throws -> Void
    ) rethrows -> Double {
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
            return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
        }
        let start = now()
        try body()
        let each = (now() - start) / Double(count)
        print("\(name): \(String(format: "%.2f", each)) µs")
        return each
    }

    private func key(_ number: Int) -> String {
        "logs/\(String(format: "%07d", number))/part.log"
    }

    /// Keys in scattered order.
    private func load(
        _ count: Int, from first: Int = 0, batch: Int, make: inout CommandMaker
    ) throws -> Double {
        var entries: [CatalogueEntry] = []
        for number in 0..<count {
            entries.append(
                CatalogueEntry(
                    index: store.appliedIndex + UInt64(number + 1),
                    payload: try make.put(key(first + number &* 7919 % count)).serializedBytes()))
        }
        return try cost("put, batch of \(batch)", count: count) {
            for start in stride(from: 0, to: count, by: batch) {
                _ = try store.apply(Array(entries[start..<min(count, start + batch)]))
            }
        }
    }

    @Test func `a small put costs at most 60 µs in a batch, a get 20 µs`() throws {
        var make = CommandMaker()
        _ = try load(10_000, batch: 1, make: &make)
        #expect(try load(20_000, batch: 16, make: &make) <= 60)
        let questions = try (0..<20_000).map { number -> [UInt8] in
            try ProtoRangeQuery.with {
                $0.getObject.bucket = 1
                $0.getObject.key = Data(key(number).utf8)
                $0.getObject.withBody = true
            }.serializedBytes()
        }
        let get = try cost("get", count: questions.count) {
            for question in questions { _ = try store.answer(question) }
        }
        #expect(get <= 20)
    }

    @Test func `a million keys list quickly`() throws {
        var make = CommandMaker()
        let count = 1_000_000
        for tenth in 0..<10 {
            // In tenths: the commands themselves take memory.
            _ = try load(count / 10, from: tenth * count / 10, batch: 250, make: &make)
            _ = try store.checkpoint()
        }
        var listed = 0
        let each = try cost("list, each key", count: count) {
            var after = ""
            while true {
                let page = try store.list(after: after)
                listed += page.objects.count
                if !page.isTruncated { break }
                after = String(decoding: page.nextAfter, as: UTF8.self)
            }
        }
        #expect(listed == count)
        #expect(each <= 20)
        let page = try cost("a page of 1,000 from the middle", count: 1) {
            _ = try store.list(after: key(count / 2))
        }
        #expect(page <= 30_000)
        var groups = 0
        let folded = try cost("a delimiter above everything", count: 1) {
            groups = try store.list(delimiter: "/").commonPrefixes.count
        }
        #expect(groups == 1)
        #expect(folded <= 30_000)
    }
}
