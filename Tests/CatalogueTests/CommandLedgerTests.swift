import Core
import Foundation
import Messages
import Testing

@testable import Catalogue

/// The ledger: what it remembers, and what it forgets and refuses.
struct CommandLedgerTests {
    private let scratch: ScratchDirectory
    private let store: RangeStore
    private var make = CommandMaker()

    init() throws {
        scratch = try ScratchDirectory()
        store = try RangeStore.open(path: scratch.file("range"), range: RangeID(rawValue: 1))
    }

    private mutating func apply(count: Int, millisecondsApart: Int64) throws {
        var entries: [CatalogueEntry] = []
        for number in 0..<count {
            make.time += millisecondsApart
            entries.append(
                CatalogueEntry(
                    index: store.appliedIndex + UInt64(number + 1),
                    payload: try make.putInline("k", "x").serializedBytes()))
        }
        _ = try store.apply(entries)
    }

    private func rowCount() throws -> Int64 {
        let connection = try SQLiteConnection(
            path: scratch.file("range"), mode: .readOnly, cacheKiB: 100)
        return try connection.integer("SELECT count(*) FROM commands") ?? 0
    }

    @Test mutating func `commands are known for the window and refused after it`() throws {
        let early = make.putInline("early", "1")
        let first = try store.apply(early)
        // Not quite ten minutes.
        try apply(count: 512, millisecondsApart: 1000)
        #expect(try store.apply(early) == first)
        try apply(count: 1024, millisecondsApart: 1000)
        let late = try store.apply(early)
        #expect(late.failure == .invalidCommand)
        #expect(try rowCount() < 600 + 2 * CatalogueLimits.ledgerBlock)
    }

    @Test mutating func `one clock that is ahead makes nobody forget`() throws {
        let put = make.put("k")
        let first = try store.apply(put)
        for _ in 0..<600 {
            var fast = make.putInline("fast", "x")
            fast.timeMs += 365 * 24 * 3600 * 1000
            // Every other command, so never alone in a block.
            _ = try store.apply(fast)
            _ = try store.apply(make.putInline("right", "x"))
        }
        #expect(try store.apply(put) == first)
    }
}
