import Core
import Testing

@testable import Discovery

@Suite struct DNSMessageTests {
    private let question = DNSQuestion(name: DNSName("a.example")!, type: .a)

    private func header(
        flags: UInt16 = 0x8180, answers: UInt8 = 0, authorities: UInt8 = 0
    ) -> [UInt8] {
        [0x12, 0x34, UInt8(flags >> 8), UInt8(flags & 255), 0, 1, 0, answers, 0, authorities, 0, 0]
    }

    private var asked: [UInt8] { DNSZone.encoded("a.example") + [0, 1, 0, 1] }

    @Test func `a question is what RFC 1035 draws`() {
        #expect(
            DNSMessage.query(id: 0x1234, question)
                == [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1]
                + [1, 0x61, 7, 0x65, 0x78, 0x61, 0x6D, 0x70, 0x6C, 0x65, 0, 0, 1, 0, 1]
                + [0, 0, 41, 0x04, 0xD0, 0, 0, 0, 0, 0, 0])
    }

    @Test func `a compressed name is read`() throws {
        let bytes =
            header(answers: 2) + asked
            + [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 0, 0, 1]
            + [1, 0x62, 0xC0, 14, 0, 28, 0, 1, 0, 0, 0, 30, 0, 16]
            + [0xFD] + [UInt8](repeating: 0, count: 14) + [1]
        let reply = try #require(DNSMessage.parse(bytes))
        #expect(reply.answers(question, id: 0x1234) && !reply.answers(question, id: 0x1235))
        #expect(reply.answers[0].content == .address4([10, 0, 0, 1]))
        #expect(reply.answers[1].name == DNSName("b.example"))
    }

    @Test(
        arguments: [
            // To itself, forward, to each other, beyond the end.
            [0xC0, 26], [0xC0, 40], [0xC0, 27], [0xFF, 0xFF], [0x40, 0], [0x80, 0], [63], [],
        ] as [[UInt8]]) func `pointers that lead nowhere are refused`(name: [UInt8])
    {
        let bytes = header(answers: 1) + asked + name
        #expect(DNSMessage.parse(bytes) == nil)
        #expect(DNSMessage.parse(bytes + [0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 1, 2, 3, 4]) == nil)
    }

    @Test func `pointers in a row are counted`() {
        // A ladder of pointers, each to the one before it.
        var bytes = header(answers: 1) + [0] + [0, 1, 0, 1]
        var last = UInt8(12)
        for _ in 0..<40 {
            let at = UInt8(bytes.count)
            bytes += [0xC0, last]
            last = at
        }
        #expect(DNSMessage.parse(bytes) == nil)
        var reader = DNSReader(bytes: [0, 0, 0xC0, 2])
        _ = reader.number()
        #expect(reader.name() == nil)
    }

    @Test(
        arguments: [
            0x0180, 0x8980, 0x9180,
        ] as [UInt16]) func `what is no reply is dropped`(flags: UInt16)
    {
        // Other opcodes and questions are none of ours.
        #expect(DNSMessage.parse(header(flags: flags) + asked) == nil)
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `no bytes stop the process`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<100 { mangle(using: &random) }
    }

    private func mangle(using random: inout SeededRandom) {
        let zone = DNSZone(records: [
            "a.example": [.cname("b.example")], "b.example": [.a("10.0.0.1"), .a("10.0.0.2")],
        ])
        var bytes = zone.reply(to: DNSMessage.query(id: 1, question))
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            switch Int.random(in: 0..<3, using: &random) {
            case 0 where !bytes.isEmpty:
                bytes[Int.random(in: 0..<bytes.count, using: &random)] =
                    UInt8.random(in: 0...255, using: &random)
            case 1: bytes.append(UInt8.random(in: 0...255, using: &random))
            default: bytes = Array(bytes.dropLast(Int.random(in: 0...3, using: &random)))
            }
        }
        if let reply = DNSMessage.parse(bytes) { _ = try? DNSAnswer(reply, to: question) }
    }

    @Test func `names have limits`() {
        #expect(DNSName(String(repeating: "a", count: 63)) != nil)
        #expect(DNSName(String(repeating: "a", count: 64)) == nil)
        let long = Array(repeating: String(repeating: "a", count: 49), count: 5)
        #expect(DNSName(long.joined(separator: ".")) != nil)
        #expect(DNSName((long + ["aaaaaaaa"]).joined(separator: ".")) == nil)
        #expect(DNSName("a..b") == nil && DNSName("") == nil && DNSName("a b") == nil)
        #expect(DNSName("A.Example.") == DNSName("a.example"))
    }

    @Test(
        arguments: [
            ([0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "fd00::1"),
            ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "::1"),
            ([UInt8](repeating: 0, count: 16), "::"),
            ([0x20, 1, 0xD, 0xB8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1], "2001:db8:0:1::1"),
            ([0, 1, 0, 0, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 0], "1:0:2:3:4:5:6:0"),
        ] as [([UInt8], String)]) func `IPv6 is written as RFC 5952 says`(
            bytes: [UInt8], text: String
        )
    {
        #expect(IPv6Text.text(bytes) == text)
    }
}
