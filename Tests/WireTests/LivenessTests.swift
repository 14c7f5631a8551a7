import Core
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import Wire

@Suite(.timeLimit(.minutes(2))) struct LivenessTests {
    private static func quick() -> WireSettings {
        var settings = WireSettings()
        settings.pingInterval = .milliseconds(50)
        settings.deadAfter = .milliseconds(300)
        settings.backoffMin = .milliseconds(10)
        settings.backoffMax = .milliseconds(100)
        return settings
    }

    /// Passes bytes on between two connections, until it is told to swallow them: a peer whose
    /// machine is gone without a word.
    final class Relay: Sendable {
        let isBlackHole = Atomic<Bool>(false)

        final class Pipe: ChannelInboundHandler, @unchecked Sendable {
            typealias InboundIn = ByteBuffer
            let relay: Relay
            let other: any Channel
            init(_ relay: Relay, _ other: any Channel) {
                self.relay = relay
                self.other = other
            }
            func channelRead(context: ChannelHandlerContext, data: NIOAny) {
                if relay.isBlackHole.load(ordering: .relaxed) { return }
                other.writeAndFlush(unwrapInboundIn(data), promise: nil)
            }
        }

        func listen(to port: Int) async throws -> any Channel {
            try await ServerBootstrap(group: LoopbackNode.group)
                .childChannelInitializer { inbound in
                    ClientBootstrap(group: inbound.eventLoop)
                        .channelInitializer { outbound in
                            outbound.eventLoop.makeCompletedFuture {
                                try outbound.pipeline.syncOperations.addHandler(Pipe(self, inbound))
                            }
                        }
                        .connect(host: "127.0.0.1", port: port)
                        .flatMap { outbound in
                            inbound.eventLoop.makeCompletedFuture {
                                try inbound.pipeline.syncOperations.addHandler(Pipe(self, outbound))
                            }
                        }
                }
                .bind(host: "127.0.0.1", port: 0).get()
        }
    }

    @Test func `a peer that is gone without a word is noticed and left`() async throws {
        var routes = CallTests.echo()
        routes.on(.watch) { _ in }
        let addresses = AddressTable()
        let server = try await LoopbackNode(
            1, addresses: addresses, routes: routes, settings: Self.quick())
        let client = try await LoopbackNode(2, addresses: addresses, settings: Self.quick())
        let relay = Relay()
        let door = try await relay.listen(to: server.listener.port)
        addresses[server.id] = "127.0.0.1:\(door.localAddress!.port!)"
        _ = try await client.pool.call(
            .query, to: server.id, ByteBuffer(), deadline: .seconds(10))
        let waiting = Task {
            await failure { () async throws(WireError) in
                try await client.pool.call(
                    .watch, to: server.id, ByteBuffer(), deadline: .seconds(60))
            }
        }
        try await eventually {
            server.server.counters.callsReceived.load(ordering: .relaxed) == 2
        }
        relay.isBlackHole.store(true, ordering: .relaxed)
        let error = await waiting.value
        guard case .connectionLost? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(error?.mayHaveRun == true)
        // The server notices, too, and forgets the connection.
        try await eventually { server.server.connectionCount == 0 }
        // The node is found at its new address.
        addresses[server.id] = server.address
        try await eventually {
            await failure { () async throws(WireError) in
                try await client.pool.call(
                    .query, to: server.id, ByteBuffer(), deadline: .seconds(10))
            } == nil
        }
        try await door.close()
        await client.stop()
        await server.stop()
    }

    @Test func `pings keep a silent connection`() async throws {
        var settings = Self.quick()
        settings.deadAfter = .milliseconds(1500)
        try await withPair(
            routes: {
                var routes = CallTests.echo()
                routes.on(.watch) { call in
                    _ = call.eventLoop.scheduleTask(in: .seconds(3)) {
                        call.reply(ByteBuffer())
                    }
                }
                return routes
            }(), serverSettings: settings, clientSettings: settings
        ) { server, client in
            _ = try await client.pool.call(
                .watch, to: server.id, ByteBuffer(), deadline: .seconds(20))
        }
    }

    @Test func `a server that restarts elsewhere is found again`() async throws {
        let addresses = AddressTable()
        let client = try await LoopbackNode(2, addresses: addresses, settings: Self.quick())
        for _ in 0..<3 {
            let server = try await LoopbackNode(
                1, addresses: addresses, routes: CallTests.echo(), settings: Self.quick())
            try await eventually {
                await failure { () async throws(WireError) in
                    try await client.pool.call(
                        .query, to: server.id, ByteBuffer(), deadline: .seconds(10))
                } == nil
            }
            await server.stop()
            let error = await failure { () async throws(WireError) in
                try await client.pool.call(
                    .query, to: server.id, ByteBuffer(), deadline: .seconds(10))
            }
            #expect(error != nil)
        }
        await client.stop()
    }

    @Test func `a node that stops lets calls finish and takes no new ones`() async throws {
        let held: Mutex<ServerCall?> = Mutex(nil)
        var routes = CallTests.echo()
        routes.on(.watch) { call in held.withLock { $0 = call } }
        try await withPair(routes: routes) { server, client in
            let waiting = Task {
                await failure { () async throws(WireError) in
                    try await client.pool.call(
                        .watch, to: server.id, ByteBuffer(), deadline: .seconds(60))
                }
            }
            try await eventually { held.withLock { $0 != nil } }
            let stopping = Task { await server.server.shutdown(deadline: .seconds(60)) }
            try await eventually {
                await failure { () async throws(WireError) in
                    try await client.pool.call(
                        .query, to: server.id, ByteBuffer(), deadline: .seconds(10))
                } != nil
            }
            held.withLock { $0?.reply(ByteBuffer()) }
            #expect(await waiting.value == nil)
            await stopping.value
            #expect(server.server.connectionCount == 0)
        }
    }

    @Test func `a node that stops waits no longer than its deadline`() async throws {
        var routes = WireRoutes()
        routes.on(.watch) { _ in }
        try await withPair(routes: routes) { server, client in
            let waiting = Task {
                await failure { () async throws(WireError) in
                    try await client.pool.call(
                        .watch, to: server.id, ByteBuffer(), deadline: .seconds(60))
                }
            }
            try await eventually {
                server.server.counters.callsReceived.load(ordering: .relaxed) == 1
            }
            await server.server.shutdown(deadline: .now() + .milliseconds(50))
            guard case .connectionLost? = await waiting.value else {
                Issue.record("the call should have been lost")
                return
            }
        }
    }

    @Test func `a pool that was shut down dials nobody`() async throws {
        try await withPair(routes: CallTests.echo()) { server, client in
            await client.pool.shutdown()
            let error = await failure { () async throws(WireError) in
                try await client.pool.call(
                    .query, to: server.id, ByteBuffer(), deadline: .seconds(10))
            }
            #expect(error?.mayHaveRun == false)
            #expect(client.pool.counters.connectionsMade.load(ordering: .relaxed) == 0)
        }
    }

    @Test func `nobody at the address fails at once, not at the deadline`() async throws {
        try await withPair { _, client in
            let nobody = NodeID(high: 3, low: 3)
            client.addresses[nobody] = "127.0.0.1:1"
            let began = ContinuousClock.now
            let error = await failure { () async throws(WireError) in
                try await client.pool.call(.query, to: nobody, ByteBuffer(), deadline: .seconds(60))
            }
            guard case .unreachable? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(ContinuousClock.now - began < .seconds(20))
        }
    }

    @Test func `certificates are renewed and connections stay`() async throws {
        let addresses = AddressTable()
        let clocks = SetClocks()
        let server = try await LoopbackNode(
            1, addresses: addresses, routes: CallTests.echo(), clocks: clocks)
        let client = try await LoopbackNode(2, addresses: addresses, clocks: clocks)
        _ = try await client.pool.call(
            .query, to: server.id, ByteBuffer(), deadline: .seconds(10))
        // Three days pass in steps of a third of a certificate's life.
        for _ in 0..<9 {
            clocks.advance(by: ClusterAuthority.lifetime / 3)
            _ = try await client.pool.call(
                .query, to: server.id, ByteBuffer(), deadline: .seconds(10))
            let other = try await LoopbackNode(3, addresses: addresses, clocks: clocks)
            _ = try await other.pool.call(
                .query, to: server.id, ByteBuffer(), deadline: .seconds(10))
            await other.stop()
        }
        #expect(client.pool.counters.connectionsMade.load(ordering: .relaxed) == 1)
        await client.stop()
        await server.stop()
    }
}

/// A clock that tests set.
final class SetClocks: Clocks {
    private let ahead = Atomic<Int64>(0)
    private let system = SystemClocks()

    var wall: WallTime {
        WallTime(milliseconds: system.wall.milliseconds + ahead.load(ordering: .relaxed))
    }
    var monotonic: MonotonicTime { system.monotonic }
    func advance(by milliseconds: Int64) { ahead.add(milliseconds, ordering: .relaxed) }
}
