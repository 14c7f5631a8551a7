import Core
import NIOCore
import NIOPosix
import Testing

@testable import Discovery

@Suite struct DNSResolverTests {
    private let clocks = ManualClocks()
    private let zone = DNSZone(records: [
        "c.example": [.a("10.0.0.1"), .a("10.0.0.2")], "alias.example": [.cname("c.example")],
        "loop.example": [.cname("loop.example")], "c.search.example": [.a("10.0.0.9")],
        "_dst._tcp.example": [.srv("c.example", 9100), .srv("d.example", 9200)],
        "d.example": [.a("10.0.0.4")],
    ])

    private func resolver(
        _ transport: any DNSTransport, _ settings: ResolverSettings? = nil
    ) -> DNSResolver {
        DNSResolver(
            settings: settings ?? ResolverSettings(servers: [ScriptedDNS.server]),
            transport: transport, clocks: clocks)
    }

    private func find(_ resolver: DNSResolver, _ names: String...) async throws -> [String] {
        let plugin = DNSDiscovery(
            names: names.compactMap { DNSDiscoveryName($0) }, resolver: resolver)
        return try await plugin.find().peers.map { "\($0.address)" }
    }

    @Test func `addresses come with the port of the name`() async throws {
        let found = try await find(resolver(ScriptedDNS(zone)), "c.example:9000")
        #expect(found == ["10.0.0.1:9000", "10.0.0.2:9000"])
    }

    @Test func `services come with their own`() async throws {
        let found = try await find(resolver(ScriptedDNS(zone)), "_dst._tcp.example")
        #expect(Set(found) == ["10.0.0.1:9100", "10.0.0.2:9100", "10.0.0.4:9200"])
    }

    @Test func `aliases are followed, and loops end`() async throws {
        let found = try await find(resolver(ScriptedDNS(zone)), "alias.example:1")
        #expect(found == ["10.0.0.1:1", "10.0.0.2:1"])
        await #expect(throws: DiscoveryError.dns(.aliasLoop("loop.example"))) {
            try await find(resolver(ScriptedDNS(zone)), "loop.example:1")
        }
    }

    @Test func `one name that fails hides no other`() async throws {
        let plugin = DNSDiscovery(
            names: [.host(HostPort("loop.example:1")!), .host(HostPort("d.example:1")!)],
            resolver: resolver(ScriptedDNS(zone)))
        let found = try await plugin.find()
        #expect(found.peers.map { "\($0.address)" } == ["10.0.0.4:1"])
        #expect(found.isPartial && found.leftOut.map(\.what) == ["loop.example:1"])
    }

    @Test func `an unknown name is no error`() async throws {
        let plugin = DNSDiscovery(
            names: [.host(HostPort("nobody.example:1")!)], resolver: resolver(ScriptedDNS(zone)))
        let found = try await plugin.find()
        #expect(found.peers.isEmpty && found.leftOut.count == 1)
    }

    @Test func `answers are kept for their time, within bounds`() async throws {
        let transport = ScriptedDNS(zone)
        let resolver = resolver(transport)
        for _ in 0..<3 { _ = try await resolver.find("c.example", .a) }
        #expect(transport.questions.count == 1)
        // The zone says 60 s.
        clocks.advance(DiscoveryLimits.dnsTTLMax)
        _ = try await resolver.find("c.example", .a)
        #expect(transport.questions.count == 2)
        // A no is kept, too.
        for _ in 0..<3 { _ = try await resolver.find("nobody.example", .a) }
        #expect(transport.questions.count == 3)
        clocks.advance(DiscoveryLimits.dnsTTLMax)
        _ = try await resolver.find("nobody.example", .a)
        #expect(transport.questions.count == 4)
    }

    @Test func `short names are looked for in the search domains first`() async throws {
        let settings = ResolverSettings(
            servers: [ScriptedDNS.server], searches: [DNSName("search.example")!])
        let transport = ScriptedDNS(zone)
        #expect(try await resolver(transport, settings).find("c", .a) == [.address("10.0.0.9")])
        #expect(transport.questions == ["udp c.search.example 1"])
        _ = try await resolver(transport, settings).find("d.example.", .a)
        #expect(transport.questions.last == "udp d.example 1")
    }

    @Test func `the next server is asked where one is silent or fails`() async throws {
        let zone = zone
        let (silent, failing) = (HostPort("10.0.0.1:53")!, HostPort("10.0.0.2:53")!)
        let transport = ScriptedDNS([
            silent: { _, _ in nil },
            failing: { query, _ in
                var reply = zone.reply(to: query)
                reply[3] = 0x82
                return reply
            },
            ScriptedDNS.server: { query, _ in zone.reply(to: query) },
        ])
        let settings = ResolverSettings(servers: [silent, failing, ScriptedDNS.server])
        #expect(try await resolver(transport, settings).find("d.example", .a).count == 1)
        #expect(transport.questions.count == 3)
        let bad = ResolverSettings(servers: [failing])
        await #expect(throws: DNSError.refused("d.example", code: 2)) {
            try await resolver(transport, bad).find("d.example", .a)
        }
    }

    @Test func `a reply to another question does not count`() async {
        let zone = zone
        let transport = ScriptedDNS([
            ScriptedDNS.server: { query, _ in
                var reply = zone.reply(to: query)
                reply[0] ^= 0xFF
                return reply
            }
        ])
        await #expect(throws: DNSError.self) {
            try await resolver(transport).find("d.example", .a)
        }
    }

    @Test func `a reply that is cut is asked for by TCP`() async throws {
        let zone = zone
        let transport = ScriptedDNS([
            ScriptedDNS.server: { query, isStream in
                zone.reply(to: query, isTruncated: !isStream)
            }
        ])
        #expect(try await resolver(transport).find("d.example", .a) == [.address("10.0.0.4")])
        #expect(transport.questions == ["udp d.example 1", "tcp d.example 1"])
    }

    @Test func `resolv.conf is read as resolvers read it`() {
        let settings = ResolverSettings(
            text: """
                # a comment
                nameserver 10.0.0.1
                nameserver fd00::1
                nameserver fe80::1%eth0
                search old.example
                search a.example b.example ; more
                options ndots:5 timeout:1
                nameserver 10.0.0.2
                nameserver 10.0.0.3
                """)
        #expect(
            settings
                == ResolverSettings(
                    servers: ["10.0.0.1:53", "[fd00::1]:53", "10.0.0.2:53"].map { HostPort($0)! },
                    searches: [DNSName("a.example")!, DNSName("b.example")!], dots: 5))
        #expect(
            settings.candidates(of: "x.y").map(\.description)
                == ["x.y.a.example", "x.y.b.example", "x.y"])
        #expect(settings.candidates(of: "x.y.").map(\.description) == ["x.y"])
    }

    @Test(arguments: [
        ("c:9000", true), ("c.:9000", true), ("_dst._tcp.x", true), ("10.0.0.1:9000", true),
        ("c", false), ("_x", false), ("_dst._tcp.x:1", false), ("", false), ("c:0", false),
    ]) func `names are hosts with ports, or services`(text: String, isFine: Bool) {
        #expect((DNSDiscoveryName(text) != nil) == isFine)
    }
}

/// The transport over real sockets.
@Suite struct DNSTransportTests {
    /// Answers datagrams twice: first with another id, as a stranger would.
    private final class Server: ChannelInboundHandler, Sendable {
        typealias InboundIn = AddressedEnvelope<ByteBuffer>
        typealias OutboundOut = AddressedEnvelope<ByteBuffer>

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let envelope = unwrapInboundIn(data)
            let zone = DNSZone(records: ["a.example": [.a("10.0.0.7")]])
            let reply = zone.reply(to: Array(buffer: envelope.data))
            var stranger = reply
            stranger[0] ^= 0xFF
            for bytes in [stranger, [], reply] {
                context.writeAndFlush(
                    wrapOutboundOut(
                        AddressedEnvelope(
                            remoteAddress: envelope.remoteAddress, data: ByteBuffer(bytes: bytes))),
                    promise: nil)
            }
        }
    }

    @Test func `a datagram that answers is taken, others are dropped`() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let server = try await DatagramBootstrap(group: group)
            .channelInitializer { $0.pipeline.addHandler(Server()) }
            .bind(host: "127.0.0.1", port: 0).get()
        let address = HostPort(host: "127.0.0.1", port: server.localAddress?.port ?? 0)
        let resolver = DNSResolver(
            settings: .only(address), transport: NIODNSTransport(group: group),
            clocks: SystemClocks())
        #expect(try await resolver.find("a.example", .a) == [.address("10.0.0.7")])
        try await server.close()
        await #expect(throws: DNSError.self) { try await resolver.find("b.example", .a) }
    }

    @Test func `TCP carries what a datagram can't`() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let server = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(StreamServer())
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let address = HostPort(host: "127.0.0.1", port: server.localAddress?.port ?? 0)
        let query = DNSMessage.query(
            id: 7, DNSQuestion(name: DNSName("a.example")!, type: .a))
        let reply = try await NIODNSTransport(group: group).exchange(
            query, with: address, isStream: true, within: .seconds(5)
        ) { DNSMessage.parse($0)?.id == 7 }
        #expect(DNSMessage.parse(reply)?.answers.count == 1)
        try await server.close()
    }

    /// Answers in two pieces.
    private final class StreamServer: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let bytes = Array(buffer: unwrapInboundIn(data)).dropFirst(2)
            let zone = DNSZone(records: ["a.example": [.a("10.0.0.7")]])
            let reply = zone.reply(to: Array(bytes))
            let framed = [UInt8(reply.count >> 8), UInt8(reply.count & 255)] + reply
            context.writeAndFlush(
                wrapOutboundOut(ByteBuffer(bytes: framed.prefix(9))), promise: nil)
            context.writeAndFlush(
                wrapOutboundOut(ByteBuffer(bytes: framed.dropFirst(9))), promise: nil)
        }
    }
}
