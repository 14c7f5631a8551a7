import Core
import Messages
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import Testing

@testable import Wire

@Suite(.timeLimit(.minutes(2))) struct HandshakeTests {
    private func refusal(
        server: LoopbackNode, client: LoopbackNode, method: Wire.Method = .query
    ) async -> WireError? {
        await failure { () async throws(WireError) in
            try await client.pool.call(
                method, to: server.id, ByteBuffer(), deadline: .seconds(10))
        }
    }

    @Test func `another cluster is refused, with the reason at the caller`() async throws {
        let addresses = AddressTable()
        let server = try await LoopbackNode(1, addresses: addresses, routes: CallTests.echo())
        let client = try await LoopbackNode(
            2, addresses: addresses, cluster: { ClusterID(high: 5, low: 5) })
        let error = await refusal(server: server, client: client)
        guard case .refused(let text)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(text.contains("is of cluster"))
        #expect(server.server.connectionCount == 0)
        await client.stop()
        await server.stop()
    }

    @Test func `a certificate of another secret is refused by either side`() async throws {
        let addresses = AddressTable()
        let server = try await LoopbackNode(1, addresses: addresses, routes: CallTests.echo())
        let stranger = try await LoopbackNode(
            2, addresses: addresses, secrets: [[UInt8](repeating: 8, count: 32)])
        let error = await refusal(server: server, client: stranger)
        guard case .refused(let text)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(text.contains("CLUSTER_SECRET"))
        await stranger.stop()
        await server.stop()
    }

    @Test func `an expired certificate is refused`() async throws {
        let addresses = AddressTable()
        let server = try await LoopbackNode(1, addresses: addresses, routes: CallTests.echo())
        let late = try await LoopbackNode(2, addresses: addresses, lifetime: -1000)
        guard case .refused(let told)? = await refusal(server: server, client: late) else {
            Issue.record("the peer's alert is no refusal")
            return
        }
        #expect(told.contains("compare the clocks"))
        #expect(server.server.counters.callsReceived.load(ordering: .relaxed) == 0)
        // And the other way round: the server's.
        let error = await refusal(server: late, client: server)
        guard case .refused(let text)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(text.contains("expired"))
        await late.stop()
        await server.stop()
    }

    @Test func `two secrets may be valid while they are changed`() async throws {
        let old = LoopbackNode.secret
        let new = [UInt8](repeating: 9, count: 32)
        let addresses = AddressTable()
        let before = try await LoopbackNode(
            1, addresses: addresses, routes: CallTests.echo(), secrets: [old, new])
        let after = try await LoopbackNode(
            2, addresses: addresses, routes: CallTests.echo(), secrets: [new, old])
        #expect(await refusal(server: before, client: after) == nil)
        #expect(await refusal(server: after, client: before) == nil)
        await before.stop()
        await after.stop()
    }

    @Test func `a node found at another's address is refused`() async throws {
        let addresses = AddressTable()
        let server = try await LoopbackNode(1, addresses: addresses, routes: CallTests.echo())
        let client = try await LoopbackNode(2, addresses: addresses)
        let absent = NodeID(high: 7, low: 7)
        addresses[absent] = server.address
        let error = await failure { () async throws(WireError) in
            try await client.pool.call(.query, to: absent, ByteBuffer(), deadline: .seconds(10))
        }
        guard case .refused(let text)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(text.contains("wanted node"))
        await client.stop()
        await server.stop()
    }

    @Test func `a node that was removed from the cluster is refused`() async throws {
        let addresses = AddressTable()
        let server = try await LoopbackNode(
            1, role: .storage, addresses: addresses, routes: CallTests.echo())
        let client = try await LoopbackNode(2, addresses: addresses)
        server.server.setExpelled([client.id])
        let error = await refusal(server: server, client: client)
        guard case .refused(let text)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(text.contains("removed from the cluster"))
        await client.stop()
        await server.stop()
    }

    @Test func `before formation only formation is answered; after it, all`() async throws {
        var routes = CallTests.echo()
        routes.on(.formationProbe) { $0.reply(ProtoProbeReply()) }
        let cluster: Mutex<ClusterID?> = Mutex(nil)
        let addresses = AddressTable()
        let server = try await LoopbackNode(
            1, addresses: addresses, routes: routes, cluster: { cluster.withLock { $0 } })
        let client = try await LoopbackNode(
            2, addresses: addresses, cluster: { cluster.withLock { $0 } })
        #expect(await refusal(server: server, client: client, method: .formationProbe) == nil)
        let error = await refusal(server: server, client: client)
        guard case .remote(let failure)? = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(failure.code == .unavailable)
        cluster.withLock { $0 = LoopbackNode.cluster }
        #expect(await refusal(server: server, client: client) == nil)
        await client.stop()
        await server.stop()
    }

    @Test func `a node that joins later is asked again on the same connection`() async throws {
        let joined: Mutex<ClusterID?> = Mutex(nil)
        let addresses = AddressTable()
        let server = try await LoopbackNode(
            1, addresses: addresses, routes: CallTests.echo(), cluster: { joined.withLock { $0 } })
        let client = try await LoopbackNode(2, addresses: addresses)
        #expect(await refusal(server: server, client: client) != nil)
        joined.withLock { $0 = LoopbackNode.cluster }
        #expect(await refusal(server: server, client: client) == nil)
        await client.stop()
        await server.stop()
    }

    @Test func `without a certificate nobody gets in`() async throws {
        let addresses = AddressTable()
        let server = try await LoopbackNode(1, addresses: addresses, routes: CallTests.echo())
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.applicationProtocols = [Handshake.alpn]
        tls.certificateVerification = .none
        tls.trustRoots = .certificates([])
        let context = try NIOSSLContext(configuration: tls)
        let channel = try await ClientBootstrap(group: LoopbackNode.group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(context: context, serverHostname: nil))
                }
            }
            .connect(host: "127.0.0.1", port: server.listener.port).get()
        try await channel.closeFuture.get()
        #expect(server.server.connectionCount == 0)
        await server.stop()
    }

    @Test func `older TLS is refused`() async throws {
        let addresses = AddressTable()
        let server = try await LoopbackNode(1, addresses: addresses, routes: CallTests.echo())
        let certificates = try NodeCertificates(
            identity: PeerIdentity(node: NodeID(high: 3, low: 3), role: .gateway),
            secrets: [LoopbackNode.secret])
        var tls = try certificates.contexts().client.configuration
        tls.minimumTLSVersion = .tlsv12
        tls.maximumTLSVersion = .tlsv12
        tls.certificateVerification = .none
        let context = try NIOSSLContext(configuration: tls)
        let channel = try await ClientBootstrap(group: LoopbackNode.group)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        NIOSSLClientHandler(context: context, serverHostname: nil))
                }
            }
            .connect(host: "127.0.0.1", port: server.listener.port).get()
        try await channel.closeFuture.get()
        #expect(server.server.connectionCount == 0)
        await server.stop()
    }

    @Test func `the rules of the hello`() throws {
        let peer = PeerIdentity(node: NodeID(high: 1, low: 1), role: .storage)
        let cluster = LoopbackNode.cluster
        func check(_ change: (inout ProtoHello) -> Void) -> String? {
            var hello = Handshake.hello(
                identity: peer, cluster: cluster, lane: .bulk, settings: WireSettings())
            change(&hello)
            do throws(HandshakeRefusal) {
                _ = try Handshake.check(
                    hello, certificate: peer, cluster: cluster, expected: nil)
                return nil
            } catch {
                return error.text
            }
        }
        #expect(check { _ in } == nil)
        // A newer program that still speaks our version is welcome; fields we do not know, too.
        #expect(check { $0.versionMax = 7 } == nil)
        #expect(
            check {
                $0.versionMin = 2; $0.versionMax = 3
            }?.contains("versions 2 to 3") == true)
        #expect(check { $0.role = .gateway }?.contains("certificate") == true)
        #expect(check { $0.node = .init([1, 2]) }?.contains("certificate") == true)
        #expect(check { $0.cluster = .init([1]) }?.contains("malformed") == true)
        #expect(check { $0.streamWindow = 0 }?.contains("windows") == true)
        #expect(check { $0.cluster = .init() } == nil)
    }
}
