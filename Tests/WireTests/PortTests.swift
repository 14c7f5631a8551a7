import Core
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Testing

@testable import Wire

@Suite(.timeLimit(.minutes(2))) struct PortTests {
    /// Answers every read with what it read.
    final class Echo: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            context.writeAndFlush(data, promise: nil)
        }
    }

    /// Gathers what comes until the channel closes.
    final class Gather: ChannelInboundHandler, Sendable {
        typealias InboundIn = ByteBuffer
        let bytes: Mutex<ByteBuffer> = Mutex(ByteBuffer())
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var piece = unwrapInboundIn(data)
            bytes.withLock { _ = $0.writeBuffer(&piece) }
        }
    }

    private static let echo: PortListener.Initializer = { channel in
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(Echo())
        }
    }

    private func dial(
        _ port: Int, tls: NIOSSLContext? = nil, _ gather: Gather = Gather()
    ) async throws -> any Channel {
        try await ClientBootstrap(group: LoopbackNode.group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: nil))
                    }
                    try channel.pipeline.syncOperations.addHandler(gather)
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
    }

    @Test func `HTTP and the node protocol share the port`() async throws {
        let addresses = AddressTable()
        let server = try await LoopbackNode(
            1, addresses: addresses, routes: CallTests.echo(), configure: { $0.http = Self.echo })
        let client = try await LoopbackNode(2, addresses: addresses)
        let gather = Gather()
        let channel = try await dial(server.listener.port, gather)
        // In two pieces, so that the decision falls in between.
        try await channel.writeAndFlush(ByteBuffer(string: "GE"))
        try await channel.writeAndFlush(ByteBuffer(string: "T / HTTP/1.1\r\n\r\n"))
        try await eventually {
            gather.bytes.withLock { String(buffer: $0) } == "GET / HTTP/1.1\r\n\r\n"
        }
        _ = try await client.pool.call(
            .query, to: server.id, ByteBuffer(), deadline: .seconds(10))
        try await channel.close()
        await client.stop()
        await server.stop()
    }

    @Test func `HTTPS is served where it is configured and else closed`() async throws {
        let addresses = AddressTable()
        let certificates = try NodeCertificates(
            identity: PeerIdentity(node: NodeID(high: 3, low: 3), role: .gateway),
            secrets: [LoopbackNode.secret])
        var tls = try certificates.contexts().server.configuration
        tls.applicationProtocols = []
        tls.certificateVerification = .none
        let serverContext = try NIOSSLContext(configuration: tls)
        var clientTLS = TLSConfiguration.makeClientConfiguration()
        clientTLS.certificateVerification = .none
        clientTLS.trustRoots = .certificates([])
        let clientContext = try NIOSSLContext(configuration: clientTLS)
        let server = try await LoopbackNode(
            1, addresses: addresses,
            configure: {
                $0.https = (serverContext, Self.echo)
            })
        let gather = Gather()
        let channel = try await dial(server.listener.port, tls: clientContext, gather)
        try await channel.writeAndFlush(ByteBuffer(string: "secret"))
        try await eventually { gather.bytes.withLock { String(buffer: $0) } == "secret" }
        try await channel.close()
        let plain = try await LoopbackNode(2, addresses: addresses)
        let refused = try await dial(plain.listener.port, tls: clientContext)
        try await refused.closeFuture.get()
        try await eventually { plain.listener.counters.refused.load(ordering: .relaxed) == 1 }
        await server.stop()
        await plain.stop()
    }

    @Test(arguments: [0..<15, 15..<30] as [Range<UInt64>])
    func `garbage is closed and the port serves on`(seeds: Range<UInt64>) async throws {
        let addresses = AddressTable()
        let server = try await LoopbackNode(
            1, addresses: addresses, routes: CallTests.echo(),
            configure: { $0.sniffTimeout = .seconds(1) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            for seed in seeds {
                for shape in 0..<3 {
                    group.addTask { try await self.garble(server, seed: seed, shape: shape) }
                }
            }
            try await group.waitForAll()
        }
        let client = try await LoopbackNode(2, addresses: addresses)
        try await eventually {
            await failure { () async throws(WireError) in
                try await client.pool.call(
                    .query, to: server.id, ByteBuffer(), deadline: .seconds(20))
            } == nil
        }
        await client.stop()
        await server.stop()
    }

    /// Random bytes; such that look like TLS; such that look like a ClientHello.
    private func garble(_ server: LoopbackNode, seed: UInt64, shape: Int) async throws {
        var random = SeededRandom(seed: seed)
        let prefix: [[UInt8]] = [[], [22, 3, 1], [22, 3, 1, 0, 200, 1, 0, 0, 196]]
        let bytes = (0..<Int.random(in: 1...4000, using: &random)).map { _ in
            UInt8.random(in: 0...255, using: &random)
        }
        let channel = try await dial(server.listener.port)
        try? await channel.writeAndFlush(ByteBuffer(bytes: prefix[shape] + bytes))
        try await channel.closeFuture.get()
    }

    @Test func `garbage after a good ClientHello is closed, too`() async throws {
        let addresses = AddressTable()
        let server = try await LoopbackNode(1, addresses: addresses, routes: CallTests.echo())
        // A node that is in order, but speaks something else inside TLS.
        let certificates = try NodeCertificates(
            identity: PeerIdentity(node: NodeID(high: 3, low: 3), role: .gateway),
            secrets: [LoopbackNode.secret])
        var tls = try certificates.contexts().client.configuration
        tls.certificateVerification = .none
        let channel = try await dial(
            server.listener.port, tls: try NIOSSLContext(configuration: tls))
        try? await channel.writeAndFlush(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"))
        try await channel.closeFuture.get()
        #expect(server.server.connectionCount == 0)
        await server.stop()
    }

    @Test func `one who says nothing is closed`() async throws {
        let addresses = AddressTable()
        let server = try await LoopbackNode(
            1, addresses: addresses,
            configure: {
                $0.sniffTimeout = .milliseconds(50)
            })
        let channel = try await dial(server.listener.port)
        try await channel.closeFuture.get()
        await server.stop()
    }

    @Test func `connections over the limit are closed`() async throws {
        let addresses = AddressTable()
        let server = try await LoopbackNode(
            1, addresses: addresses,
            configure: {
                $0.connectionsMax = 2
                $0.http = Self.echo
            })
        let gather = Gather()
        let first = try await dial(server.listener.port, gather)
        try await first.writeAndFlush(ByteBuffer(string: "GET / "))
        let second = try await dial(server.listener.port, gather)
        try await second.writeAndFlush(ByteBuffer(string: "GET / "))
        try await eventually { gather.bytes.withLock { $0.readableBytes } == 12 }
        let third = try await dial(server.listener.port)
        try? await third.writeAndFlush(ByteBuffer(string: "GET / "))
        try await third.closeFuture.get()
        // Nodes still get in.
        let node = try await LoopbackNode(2, addresses: addresses)
        let error = await failure { () async throws(WireError) in
            try await node.pool.call(.query, to: server.id, ByteBuffer(), deadline: .seconds(20))
        }
        guard case .remote? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        await node.stop()
        #expect(server.listener.counters.overLimit.load(ordering: .relaxed) == 1)
        try await first.close()
        try await second.close()
        await server.stop()
    }

    @Test func `a taken port is named, with what to do`() async throws {
        let addresses = AddressTable()
        let server = try await LoopbackNode(1, addresses: addresses)
        let address = server.address
        await #expect(throws: PortListenerError.addressInUse(address)) {
            _ = try await LoopbackNode(2, addresses: addresses, address: address)
        }
        #expect(PortListenerError.addressInUse(address).description.contains(address))
        await #expect(throws: PortListenerError.badAddress("nonsense")) {
            _ = try await LoopbackNode(2, addresses: addresses, address: "nonsense")
        }
        await server.stop()
    }
}
