import Simulation
import Testing

/// What people read, and what they write down.
@Suite struct LinearizabilityReportTests {
    private func violation(of history: ClientHistory) throws -> String {
        let found = try LinearizabilityChecker().check(history)
        return try #require(found.first).description
    }

    @Test func `a violation tells what one needs to know`() throws {
        var history = ClientHistory()
        let first = history.begin(.put(key: "k", value: "etag-1"), by: "c1", at: 1_000)
        history.end(first, .ok, at: 2_500)
        let second = history.begin(
            .put(key: "k", value: "etag-2", if: .match("etag-1")), by: "c2", at: 3_000)
        let page = history.begin(.list(.init()), by: "c4", at: 3_500)
        history.end(second, .ok, at: 4_000)
        history.end(page, seeing: .list(.init(seen: ["j": "x", "k": "etag-2"])), at: 4_100)
        _ = history.begin(.delete(key: "k"), by: "c1", at: 9_000_000)
        let read = history.begin(.read(key: "k", value: nil), by: "c3", at: 5_000)
        history.end(read, seeing: .read(key: "k", value: "etag-1"), at: 1_000_000)
        let other = history.begin(.put(key: "j", value: "x"), by: "c1", at: 0)
        history.end(other, .ok, at: 500)

        #expect(
            try violation(of: history) == """
                key k: nothing explains
                    [5_000…1_000_000] c3 read k -> etag-1: ok
                  The key could hold: etag-2.
                  Its value comes from
                    [1_000…2_500] c1 put k = etag-1: ok
                  What went before on this key:
                    [1_000…2_500] c1 put k = etag-1: ok
                    [3_000…4_000] c2 put k = etag-2 if it is etag-1: ok
                    [3_500…4_100] c4 list -> k is etag-2: ok
                """)
        #expect(
            history.description
                == "delete unknown: 1, list ok: 1, put if match ok: 1, put ok: 2, read ok: 1")
    }

    @Test func `an invented value has no origin`() throws {
        let seen = String(repeating: "0", count: 32)
        let page = ClientOperation.Page(after: "a", upto: "z", seen: ["k": seen])
        let told = try violation(
            of: ClientHistory([ClientOperation(client: "c", .list(page), began: 0, ended: 1)]))
        #expect(
            told == """
                key k: nothing explains
                    [0…1] c list after a up to z -> k is 000000000000…: ok
                  The key could hold: nothing.
                  Nobody has written 000000000000….
                """)
    }

    @Test func `an operation is one line`() {
        func told(_ kind: ClientOperation.Kind, _ answer: ClientOperation.Answer) -> String {
            ClientOperation(client: "c", kind, began: 0, ended: 1, answer: answer).description
        }
        #expect(
            told(.put(key: "k", value: "v", if: .absent), .refused)
                == "[0…1] c put k = v if absent: refused")
        #expect(told(.delete(key: "k"), .failed) == "[0…1] c delete k: failed")
        #expect(told(.read(key: "k", value: nil), .unknown) == "[0…1] c read k: unknown")
        #expect(told(.read(key: "k", value: nil), .ok) == "[0…1] c read k -> nothing: ok")
        #expect(told(.list(.init(after: "a")), .unknown) == "[0…1] c list after a: unknown")
        let five = Dictionary(uniqueKeysWithValues: "edcba".map { (String($0), "v") })
        #expect(
            told(.list(.init(seen: five)), .ok)
                == "[0…1] c list -> 5 keys (a = v, b = v, c = v, d = v, …): ok")
    }

    @Test func `pages follow the order of bytes`() {
        let page = ClientOperation.Page(after: "a", upto: "\u{FF5E}")
        #expect(page.covers("a\u{0301}"))
        #expect(!page.covers("a"))
        #expect(page.covers("\u{FF5E}"))
        // Behind in UTF-8, before in UTF-16.
        #expect(!page.covers("\u{1F600}"))
    }

    @Test func `a check that is too hard gives no verdict`() throws {
        // Twelve writes at once, and answers in between that let each come first.
        var history = ClientHistory()
        for number in 0..<12 as Range<UInt64> {
            history.append(
                ClientOperation(
                    client: "w", .put(key: "k", value: "v\(number)"), began: number,
                    ended: 100 + number))
        }
        for number in 0..<12 as Range<UInt64> {
            history.append(
                ClientOperation(
                    client: "r", .read(key: "k", value: "v\(number)"), began: 0,
                    ended: 200 + number))
        }
        #expect(try LinearizabilityChecker().check(history).isEmpty)
        let impatient = LinearizabilityChecker(configurationsMax: 20)
        let error = #expect(throws: LinearizabilityChecker.TooHard.self) {
            try impatient.check(history)
        }
        #expect(
            error?.description
                == "key k: too hard, after 21 configurations, with 24 operations at once")
        // What is wrong elsewhere is wrong all the same.
        history.append(
            ClientOperation(client: "r", .read(key: "z", value: "?"), began: 0, ended: 1))
        #expect(try impatient.check(history).map(\.key) == ["z"])
    }

    @Test func `more operations at once than there are slots give no verdict`() throws {
        let reads = (0..<129).map { number in
            ClientOperation(client: "\(number)", .read(key: "k", value: nil), began: 0, ended: 1)
        }
        #expect(try LinearizabilityChecker().check(ClientHistory(Array(reads.dropLast()))).isEmpty)
        #expect(throws: LinearizabilityChecker.TooHard.self) {
            try LinearizabilityChecker().check(ClientHistory(reads))
        }
    }
}
