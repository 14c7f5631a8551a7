import Simulation
import Testing

/// Small histories known to be good or bad, all on the key "k".
@Suite struct LinearizabilityTests {
    private typealias Operation = ClientOperation
    private let checker = LinearizabilityChecker()

    private func put(
        _ value: String, _ began: UInt64, _ ended: UInt64,
        if condition: Operation.Condition = .always,
        _ answer: Operation.Answer = .ok
    ) -> Operation {
        Operation(
            client: "w", .put(key: "k", value: value, if: condition), began: began, ended: ended,
            answer: answer)
    }

    private func delete(
        _ began: UInt64, _ ended: UInt64, _ answer: Operation.Answer = .ok
    ) -> Operation {
        Operation(client: "d", .delete(key: "k"), began: began, ended: ended, answer: answer)
    }

    private func read(_ value: String?, _ began: UInt64, _ ended: UInt64) -> Operation {
        Operation(client: "r", .read(key: "k", value: value), began: began, ended: ended)
    }

    private func page(
        _ seen: [String: String], _ began: UInt64, _ ended: UInt64, after: String = "",
        upto: String? = nil
    ) -> Operation {
        Operation(
            client: "l", .list(.init(after: after, upto: upto, seen: seen)), began: began,
            ended: ended)
    }

    private func good(
        _ operations: Operation..., at location: SourceLocation = #_sourceLocation
    ) throws {
        let found = try checker.check(ClientHistory(operations))
        #expect(found.isEmpty, "\(found)", sourceLocation: location)
    }

    /// Fails, and finds fault with one operation: the last, unless said.
    private func bad(
        _ operations: Operation..., blames: Int? = nil,
        at location: SourceLocation = #_sourceLocation
    ) throws {
        let found = try checker.check(ClientHistory(operations))
        try #require(found.count == 1, "this can't be explained", sourceLocation: location)
        #expect(found[0].key == "k", sourceLocation: location)
        let expected = operations[blames ?? operations.count - 1]
        #expect(
            found[0].operation.description == expected.description, sourceLocation: location)
    }

    @Test func `a single client sees a register`() throws {
        try good()
        try good(
            read(nil, 0, 1), put("a", 2, 3), read("a", 4, 5), put("b", 6, 7), read("b", 8, 9),
            delete(10, 11), read(nil, 12, 13), put("c", 14, 15), read("c", 16, 17))
    }

    @Test func `a read of what was overwritten before it began is stale`() throws {
        try bad(put("a", 0, 1), put("b", 2, 3), read("a", 4, 5))
        try good(put("a", 0, 1), put("b", 2, 6), read("a", 4, 5))
        // As a reader ends, a writer begins: they may have met.
        try good(put("a", 0, 1), put("b", 5, 6), read("b", 4, 5))
    }

    @Test func `reads do not go back, even while the write runs`() throws {
        try bad(put("a", 0, 1), read("b", 4, 5), read("a", 6, 7), put("b", 2, 9), blames: 2)
        try good(put("a", 0, 1), read("a", 4, 5), read("b", 6, 7), put("b", 2, 9))
    }

    @Test func `an acknowledged write is not lost`() throws {
        try bad(put("a", 0, 1), read(nil, 2, 3))
        try bad(put("a", 0, 1), put("b", 2, 3), read("b", 4, 5), read("a", 6, 7))
    }

    @Test func `no value is invented, nor seen before its time`() throws {
        try bad(put("a", 0, 1), read("x", 2, 3))
        try bad(read("a", 0, 1), put("a", 2, 3), blames: 0)
        try bad(read("a", 0, 1), put("a", 2, 3, .unknown), blames: 0)
    }

    @Test func `what was deleted does not come back`() throws {
        try bad(put("a", 0, 1), delete(2, 3), read("a", 4, 5))
        try bad(put("a", 0, 1), delete(2, 3), read(nil, 4, 5), read("a", 6, 7))
        try good(put("a", 0, 1), delete(2, 6), read("a", 4, 5), read(nil, 7, 8))
    }

    @Test func `a write that failed has no effect`() throws {
        try bad(put("a", 0, 1), put("b", 2, 3, .failed), read("b", 4, 5))
        try bad(put("a", 0, 1), delete(2, 3, .failed), read(nil, 4, 5))
        try good(put("a", 0, 1), put("b", 2, 3, .failed), read("a", 4, 5))
    }

    @Test func `a write in doubt happens late, or never, but once`() throws {
        let doubt = put("b", 2, 3, .unknown)
        try good(put("a", 0, 1), doubt, read("a", 4, 5))
        try good(put("a", 0, 1), doubt, read("a", 4, 5), read("b", 6, 7), read("b", 8, 9))
        try bad(put("a", 0, 1), doubt, read("b", 4, 5), read("a", 6, 7))
        try bad(put("a", 0, 1), doubt, read("b", 4, 5), put("c", 6, 7), read("b", 8, 9))
    }

    @Test func `a delete in doubt explains one absence`() throws {
        let doubt = delete(2, 3, .unknown)
        try good(put("a", 0, 1), doubt, read("a", 4, 5), read(nil, 6, 7))
        try bad(put("a", 0, 1), doubt, read(nil, 4, 5), put("b", 6, 7), read(nil, 8, 9))
        try good(
            put("a", 0, 1), doubt, delete(2, 3, .unknown), read(nil, 4, 5), put("b", 6, 7),
            read(nil, 8, 9))
        try bad(put("a", 0, 1), read(nil, 2, 3), delete(4, 5, .unknown), blames: 1)
    }

    @Test func `of two puts if absent one wins`() throws {
        try good(put("a", 0, 5, if: .absent), put("b", 1, 4, if: .absent, .refused))
        try bad(put("a", 0, 1, if: .absent), put("b", 2, 3, if: .absent))
        try bad(put("a", 0, 1, if: .absent, .refused))
        try bad(put("a", 0, 1), delete(2, 3), put("b", 4, 5, if: .absent, .refused))
        try good(put("a", 0, 1), delete(2, 6), put("b", 4, 5, if: .absent, .refused))
    }

    @Test func `compare and set loses no update`() throws {
        let first = put("a", 0, 1)
        let second = put("b", 2, 3, if: .match("a"))
        try good(first, second, put("c", 4, 5, if: .match("b")))
        try good(first, second, put("c", 4, 5, if: .match("a"), .refused))
        try bad(first, second, put("c", 2, 3, if: .match("a")))
        try bad(first, put("c", 4, 5, if: .match("a"), .refused))
    }

    @Test func `a condition that held proves the write in doubt that it names`() throws {
        let (first, doubt) = (put("a", 0, 1), put("b", 2, 3, .unknown))
        try good(first, doubt, put("c", 4, 5, if: .match("b")))
        try bad(first, doubt, put("c", 4, 5, if: .match("b")), read("b", 6, 7))
        try good(first, doubt, put("c", 4, 5, if: .match("b"), .refused))
        try good(first, doubt, put("c", 4, 5, if: .match("a"), .refused))
    }

    @Test func `writes in doubt explain each other`() throws {
        let first = put("a", 0, 1)
        let last = put("c", 2, 3, if: .match("b"), .unknown)
        try good(first, put("b", 2, 3, .unknown), last, read("c", 4, 5))
        try bad(first, put("b", 2, 3, .failed), last, read("c", 4, 5))
        try good(
            first, delete(2, 3, .unknown), put("b", 2, 3, if: .absent, .unknown),
            put("c", 4, 5, if: .match("a"), .refused))
        // However many.
        try good(
            put("b0", 0, 1, .unknown), put("b1", 0, 1, if: .match("b0"), .unknown),
            put("b2", 0, 1, if: .match("b1"), .unknown),
            put("b3", 0, 1, if: .match("b2"), .unknown),
            read("b3", 4, 5))
        try bad(
            put("b0", 0, 1, .unknown), put("b1", 0, 1, if: .match("b0"), .unknown),
            put("b2", 0, 1, if: .match("b1"), .unknown), read("b2", 4, 5), read("b0", 6, 7))
    }

    @Test func `a write in doubt that a condition names happens once, like any other`() throws {
        try bad(
            put("b", 0, 1, .unknown), put("c", 0, 1, if: .match("b"), .unknown),
            put("d", 2, 3, if: .absent, .refused), delete(4, 5),
            put("e", 6, 7, if: .absent, .refused))
        // Either may have been the first object; then the second was the other.
        for name in ["b", "c"] {
            try good(
                put("a", 0, 1), put("x", 2, 3, if: .match("b"), .refused),
                put("y", 2, 3, if: .match("c"), .refused), delete(4, 5),
                put("b", 6, 7, .unknown), put("c", 6, 7, .unknown),
                put("d", 8, 9, if: .absent, .refused), delete(10, 11),
                put("e", 12, 13, if: .match(name), .refused))
        }
    }

    @Test func `a listing has what is there, and nothing else`() throws {
        let put = put("a", 0, 1)
        try good(
            page([:], 0, 1), self.put("a", 2, 3), page(["k": "a"], 4, 5), delete(6, 7),
            page([:], 8, 9))
        try bad(put, page([:], 2, 3))
        try bad(put, delete(2, 3), page(["k": "a"], 4, 5))
        try bad(put, self.put("b", 2, 3), page(["k": "a"], 4, 5))
        try bad(page(["k": "a"], 0, 1))
        // What overlaps may be seen or not.
        try good(self.put("a", 0, 3), page([:], 1, 2))
        try good(self.put("a", 0, 3), page(["k": "a"], 1, 2))
        try bad(self.put("a", 0, 5), page(["k": "a"], 1, 2), page([:], 3, 4))
    }

    @Test func `a page speaks for its span`() throws {
        let put = put("a", 0, 1)
        try good(put, page([:], 2, 3, upto: "j"), page(["k": "a"], 4, 5, after: "j"))
        try good(put, page([:], 2, 3, after: "k"))
        try good(put, page([:], 2, 3, after: "l", upto: "j"))
        try bad(put, page([:], 2, 3, upto: "k"))
        try bad(put, page([:], 2, 3, after: "j", upto: "l"))
    }

    @Test func `two writes of one value are a mistake of the test`() async {
        await #expect(processExitsWith: .failure) {
            let put = ClientOperation(
                client: "w", .put(key: "k", value: "a"), began: 0, ended: 1, answer: .ok)
            _ = try LinearizabilityChecker().check(ClientHistory([put, put]))
        }
    }
}
