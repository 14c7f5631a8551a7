import Core
import Logging
import Messages
import NIOCore
import NIOEmbedded
import NIOTLS
import Synchronization
import Testing

@testable import Wire

/// Frame by frame, without sockets: what a server answers to what a client says.
@Suite struct ConversationTests {
    /// A server's end of a connection; the test speaks for the client.
    final class Conversation {
        let channel = EmbeddedChannel()
        let connection: WireConnection
        private var decoder = FrameDecoder()
        static let peer = PeerIdentity(node: NodeID(high: 4, low: 4), role: .gateway)

        init(
            _ routes: WireRoutes, settings: WireSettings = WireSettings(), greets: Bool = true,
            _ change: (inout ProtoHello) -> Void = { _ in }
        ) throws {
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let server = WireServer(
                certificates: try NodeCertificates(
                    identity: PeerIdentity(node: NodeID(high: 5, low: 5), role: .storage),
                    secrets: [LoopbackNode.secret]),
                routes: routes, logger: logger, settings: settings,
                cluster: { LoopbackNode.cluster })
            connection = WireConnection(
                eventLoop: channel.eventLoop, inbox: LoopInbox(eventLoop: channel.eventLoop),
                settings: settings, side: .server(server),
                certificate: CertificateCheck(identity: Self.peer))
            try channel.pipeline.syncOperations.addHandler(connection)
            channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
            channel.pipeline.fireUserInboundEventTriggered(
                TLSUserEvent.handshakeCompleted(negotiatedProtocol: Handshake.alpn))
            guard greets else { return }
            var hello = Handshake.hello(
                identity: Self.peer, cluster: LoopbackNode.cluster, lane: .bulk, settings: settings)
            change(&hello)
            try say(
                after: "4453545701000000", .hello, stream: 0,
                Array(try hello.serializedBytes() as [UInt8]))
        }

        func say(
            after before: String = "", _ type: FrameType, stream: UInt32, isEnd: Bool = false,
            _ payload: [UInt8] = []
        ) throws {
            var bytes = ByteBuffer(bytes: Hex.decode(before) ?? [])
            FrameHeader(length: payload.count, type: type, isEnd: isEnd, stream: stream)
                .write(into: &bytes)
            bytes.writeBytes(payload)
            try channel.writeInbound(bytes)
            channel.embeddedEventLoop.run()
        }

        func request(
            _ method: Wire.Method, stream: UInt32, isEnd: Bool = false, _ message: [UInt8] = []
        ) throws {
            let number = UInt8(method.rawValue)
            try say(
                .request, stream: stream, isEnd: isEnd, [number, 0, 0, 0, 0, 100, 0, 0] + message)
        }

        /// What the server has said since, a line per frame; runs of DATA as one.
        func heard() throws -> [String] {
            decoder.lengthMax = 1 << 24
            var lines: [String] = []
            var data = 0
            while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
                decoder.feed(bytes)
                while let event = try decoder.next() {
                    switch event {
                    case .data(let stream, let bytes, let isEnd):
                        data += bytes.readableBytes
                        if isEnd { lines.append("data \(stream) end") }
                    case .frame(let header, let payload):
                        let end = header.isEnd ? " end" : ""
                        let shown =
                            header.type == .hello
                            ? "" : " \(Hex.encode(payload.readableBytesView.prefix(4)))"
                        lines.append("\(header.type) \(header.stream)\(end)\(shown)")
                    }
                }
            }
            return data == 0 ? lines : lines + ["\(data) bytes of data"]
        }

        var isOpen: Bool { connection.state != .closed }
    }

    static let echo: WireRoutes = CallTests.echo()

    @Test func `a unary call is one frame each way`() throws {
        let talk = try Conversation(Self.echo)
        #expect(try talk.heard() == ["hello 0"])
        try talk.request(.query, stream: 1, isEnd: true, [1, 2, 3])
        #expect(try talk.heard() == ["reply 1 end 010203"])
        #expect(talk.connection.streams.isEmpty)
    }

    @Test func `answers to what was read at once leave in one write`() throws {
        let talk = try Conversation(Self.echo)
        _ = try talk.heard()
        var bytes = ByteBuffer()
        for stream in 1...50 as ClosedRange<UInt32> {
            FrameHeader(length: 10, type: .request, isEnd: true, stream: stream).write(into: &bytes)
            bytes.writeBytes([11, 0, 0, 0, 0, 100, 0, 0, 7, 7])
        }
        try talk.channel.writeInbound(bytes)
        #expect(try talk.channel.readOutbound(as: ByteBuffer.self)?.readableBytes == 50 * 14)
        #expect(try talk.channel.readOutbound(as: ByteBuffer.self) == nil)
    }

    @Test func `the window opens as the body is consumed`() throws {
        var settings = WireSettings()
        settings.streamWindowBytes = 4096
        let held: Mutex<ServerCall?> = Mutex(nil)
        var routes = WireRoutes()
        routes.on(.chunkWrite) { call in
            held.withLock { $0 = call }
            call.readBody { _ in }
        }
        let talk = try Conversation(routes, settings: settings)
        _ = try talk.heard()
        try talk.request(.chunkWrite, stream: 1)
        try talk.say(.data, stream: 1, [UInt8](repeating: 1, count: 4096))
        #expect(try talk.heard() == [])
        held.withLock { $0?.consumed(1023) }
        talk.channel.embeddedEventLoop.run()
        #expect(try talk.heard() == [])
        held.withLock { $0?.consumed(1) }
        talk.channel.embeddedEventLoop.run()
        #expect(try talk.heard() == ["window 1 00040000"])
        // One byte more than was granted.
        try talk.say(.data, stream: 1, [UInt8](repeating: 1, count: 1025))
        #expect(!talk.isOpen)
    }

    @Test func `no more is sent than the windows let`() throws {
        var routes = WireRoutes()
        routes.on(.chunkRead) { call in
            call.startReply(ByteBuffer(string: "head"))
            call.enqueue(ByteBuffer(repeating: 1, count: 10_000), end: true)
        }
        let talk = try Conversation(routes) {
            $0.streamWindow = 4000
            $0.connectionWindow = 7000
        }
        _ = try talk.heard()
        try talk.request(.chunkRead, stream: 1, isEnd: true)
        try talk.request(.chunkRead, stream: 2, isEnd: true)
        // 4,000 of the first and 3,000 of the second: the connection's 7,000.
        #expect(
            try talk.heard() == ["reply 1 68656164", "reply 2 68656164", "7000 bytes of data"])
        try talk.say(.window, stream: 1, [0x70, 0x17, 0, 0])
        #expect(try talk.heard() == [])
        try talk.say(.window, stream: 0, [0x70, 0x17, 0, 0])
        talk.channel.embeddedEventLoop.run()
        #expect(try talk.heard() == ["6000 bytes of data"])
    }

    @Test func `bytes of a stream that is over are given back`() throws {
        var settings = WireSettings()
        settings.streamWindowBytes = 4096
        settings.connectionWindowBytes = 8192
        var routes = WireRoutes()
        routes.on(.chunkWrite) { $0.fail(WireFailure(.overloaded)) }
        let talk = try Conversation(routes, settings: settings)
        _ = try talk.heard()
        for stream in 1...10 as ClosedRange<UInt32> {
            try talk.request(.chunkWrite, stream: stream)
            try talk.say(.data, stream: stream, [UInt8](repeating: 1, count: 4096))
            let heard = try talk.heard()
            #expect(heard == ["failure \(stream) end 0500", "window 0 00100000"])
        }
    }

    @Test func `a peer that breaks the rules is disconnected`() throws {
        let breaks: [(String, (Conversation) throws -> Void)] = [
            (
                "a stream twice",
                {
                    try $0.request(.query, stream: 1, isEnd: true)
                    try $0.request(.query, stream: 1, isEnd: true)
                }
            ),
            ("stream 0", { try $0.request(.query, stream: 0, isEnd: true) }),
            ("data of no stream", { try $0.say(.data, stream: 9, [1]) }),
            ("a client's goAway", { try $0.say(.goAway, stream: 0) }),
            ("a reply to nothing", { try $0.say(.reply, stream: 1, isEnd: true) }),
            ("hello twice", { try $0.say(.hello, stream: 0) }),
            ("a request cut short", { try $0.say(.request, stream: 1, isEnd: true, [1]) }),
            ("a window cut short", { try $0.say(.window, stream: 0, [1]) }),
            (
                "an endless window",
                {
                    try $0.say(.window, stream: 0, [255, 255, 255, 255])
                }
            ),
        ]
        for (name, act) in breaks {
            let talk = try Conversation(Self.echo)
            try act(talk)
            #expect(!talk.isOpen, "\(name)")
        }
    }

    @Test func `nothing is answered before the hello`() throws {
        let talk = try Conversation(Self.echo, greets: false)
        try talk.say(
            after: "4453545701000000", .request, stream: 1, isEnd: true, [11, 0, 0, 0, 0, 1, 0, 0])
        #expect(!talk.isOpen)
        #expect(try talk.heard() == [])
    }

    @Test func `an unknown version is told why`() throws {
        let talk = try Conversation(Self.echo) {
            $0.versionMin = 8
            $0.versionMax = 9
        }
        #expect(!talk.isOpen)
        #expect(try talk.heard() == ["hello 0"])
    }

    @Test func `a ping is answered with its bytes`() throws {
        let talk = try Conversation(Self.echo)
        _ = try talk.heard()
        try talk.say(.ping, stream: 0, [1, 2, 3, 4, 5, 6, 7, 8])
        #expect(try talk.heard() == ["pong 0 01020304"])
    }

    @Test(arguments: 0..<100 as Range<UInt64>)
    func `random frames after a good hello are no crash`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let talk = try Conversation(Self.echo)
        for _ in 0..<50 where talk.isOpen {
            let payload = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let type = FrameType(rawValue: .random(in: 2...11, using: &random))!
            try talk.say(
                type, stream: .random(in: 0...6, using: &random), isEnd: .random(using: &random),
                payload)
        }
    }
}
