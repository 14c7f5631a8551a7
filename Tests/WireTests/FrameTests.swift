import Core
import NIOCore
import Testing

@testable import Wire

@Suite struct FrameTests {
    private static func preface() -> ByteBuffer {
        var bytes = ByteBuffer()
        Preface.write(into: &bytes)
        return bytes
    }

    private static func frame(
        _ type: FrameType, stream: UInt32, isEnd: Bool = false, _ payload: [UInt8]
    ) -> ByteBuffer {
        var bytes = ByteBuffer()
        FrameHeader(length: payload.count, type: type, isEnd: isEnd, stream: stream)
            .write(into: &bytes)
        bytes.writeBytes(payload)
        return bytes
    }

    /// What the decoder makes of `bytes`; pieces of DATA joined, so that cuts do not show.
    private static func decode(
        _ pieces: [ByteBuffer], lengthMax: Int = 1 << 20
    ) throws(FrameError) -> [FrameDecoder.Event] {
        var decoder = FrameDecoder()
        decoder.lengthMax = lengthMax
        var events: [FrameDecoder.Event] = []
        var isOpen = false
        for piece in pieces {
            decoder.feed(piece)
            while let event = try decoder.next() {
                if isOpen, case .data(_, var more, let isEnd) = event,
                    case .data(let stream, var bytes, _)? = events.last
                {
                    bytes.writeBuffer(&more)
                    events[events.count - 1] = .data(stream: stream, bytes, isEnd: isEnd)
                } else {
                    events.append(event)
                }
                if case .data(_, _, let isEnd) = event { isOpen = !isEnd } else { isOpen = false }
            }
        }
        return events
    }

    @Test func `limits agree with each other`() {
        Core.Limits.check()
        WireLimits.check()
    }

    @Test func `strangers cannot fill the log`() {
        let gate = LogGate(linesPerSecondMax: 2)
        let now = NIODeadline.now()
        #expect([gate.pass(now: now), gate.pass(now: now), gate.pass(now: now)] == [0, 0, nil])
        #expect(gate.pass(now: now) == nil)
        #expect(gate.pass(now: now + .seconds(1)) == 2)
        #expect(gate.pass(now: now + .seconds(1)) == 0)
    }

    @Test func `the bytes of preface and header are as the page says`() {
        let frame = Self.frame(.reply, stream: 0x0102_0304, isEnd: true, [0xaa, 0xbb])
        #expect(Hex.encode(Self.preface().readableBytesView) == "4453545701000000")
        #expect(Hex.encode(frame.readableBytesView) == "020000000301000004030201aabb")
    }

    @Test func `the bytes of every kind of frame are as the page says`() {
        let types: [(FrameType, UInt8)] = [
            (.hello, 1), (.request, 2), (.reply, 3), (.data, 4), (.failure, 5), (.cancel, 6),
            (.window, 7), (.ping, 8), (.pong, 9), (.message, 10), (.goAway, 11),
        ]
        for (type, number) in types { #expect(type.rawValue == number) }
        #expect(FrameType(rawValue: 12) == nil)
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func `frames are the same wherever the bytes are cut`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var whole = Self.preface()
        var expected: [FrameDecoder.Event] = []
        let types: [FrameType] = [.hello, .request, .reply, .window, .ping, .data]
        for number in 1...20 as ClosedRange<UInt32> {
            let payload = (0..<Int.random(in: 0...300, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let type = types.randomElement(using: &random)!
            var bytes = Self.frame(type, stream: number, isEnd: true, payload)
            whole.writeBuffer(&bytes)
            let header = FrameHeader(
                length: payload.count, type: type, isEnd: true, stream: number)
            expected.append(
                type == .data
                    ? .data(stream: number, ByteBuffer(bytes: payload), isEnd: true)
                    : .frame(header, ByteBuffer(bytes: payload)))
        }
        var pieces: [ByteBuffer] = []
        while whole.readableBytes > 0 {
            let count = min(Int.random(in: 1...200, using: &random), whole.readableBytes)
            pieces.append(whole.readSlice(length: count)!)
        }
        #expect(try Self.decode(pieces) == expected)
    }

    /// Else the TLS handler, which fills one buffer over and over, would copy it at every read.
    @Test func `nothing of what was fed is kept`() throws {
        var decoder = FrameDecoder()
        var bytes = Self.preface()
        bytes.writeImmutableBuffer(Self.frame(.message, stream: 0, [1, 2, 3]))
        bytes.writeImmutableBuffer(Self.frame(.data, stream: 1, [4, 5]))
        let cut = Self.frame(.reply, stream: 1, [6, 7, 8]).getSlice(at: 0, length: 11)
        bytes.writeImmutableBuffer(try #require(cut))
        let place = bytes.withUnsafeReadableBytes { $0.baseAddress }
        decoder.feed(bytes)
        var events: [FrameDecoder.Event] = []
        while let event = try decoder.next() { events.append(event) }
        #expect(events.count == 2)
        bytes.setInteger(UInt8(0), at: 0)
        #expect(bytes.withUnsafeReadableBytes { $0.baseAddress } == place, "no copy was needed")
        withExtendedLifetime((decoder, events)) {}
    }

    @Test func `a preface of another kind or version is refused`() {
        #expect(throws: FrameError.badPreface) {
            try Self.decode([ByteBuffer(string: "GET / HTTP/1.1\r\n")])
        }
        #expect(throws: FrameError.unknownPrefaceVersion(2)) {
            try Self.decode([ByteBuffer(bytes: Array("DSTW".utf8) + [2, 0, 0, 0])])
        }
    }

    @Test func `a frame that is too long, of no kind or with unknown flags is refused`() {
        func decode(_ header: [UInt8]) throws(FrameError) {
            _ = try Self.decode([Self.preface(), ByteBuffer(bytes: header)], lengthMax: 100)
        }
        #expect(throws: FrameError.tooLong(101, max: 100)) {
            try decode([101, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0])
        }
        #expect(throws: FrameError.unknownType(99)) {
            try decode([1, 0, 0, 0, 99, 0, 0, 0, 1, 0, 0, 0])
        }
        #expect(throws: FrameError.reservedBits) {
            try decode([1, 0, 0, 0, 3, 2, 0, 0, 1, 0, 0, 0])
        }
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `random bytes end in an error or in nothing, never in a crash`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let garbage = (0..<2000).map { _ in UInt8.random(in: 0...255, using: &random) }
        for bytes in [garbage, Array(Self.preface().readableBytesView) + garbage] {
            _ = try? Self.decode([ByteBuffer(bytes: bytes)])
        }
    }
}
