import Core
import Logging
import Messages
import NIOCore
import NIOSSL
import Synchronization

/// The server side of the node protocol: what arrives by a ``PortListener``.
package final class WireServer: Sendable {
    private struct State {
        var routes: WireRoutes
        var connections: [ObjectIdentifier: WireConnection] = [:]
        var isStopping = false
        var expelled: Set<NodeID> = []
        var whenEmpty: [EventLoopPromise<Void>] = []
    }

    let certificates: NodeCertificates
    let settings: WireSettings
    let logger: Logger
    let cluster: @Sendable () -> ClusterID?
    private let state: Mutex<State>
    package let counters = WireCounters()
    let logGate = LogGate()

    /// - Parameters:
    ///   - cluster: This node's cluster, `nil` before formation. Asked at each handshake and at
    ///     each call by a peer that shook hands while one side was in no cluster.
    package init(
        certificates: NodeCertificates, routes: WireRoutes = WireRoutes(), logger: Logger,
        settings: WireSettings = WireSettings(),
        cluster: @escaping @Sendable () -> ClusterID?
    ) {
        self.certificates = certificates
        self.settings = settings
        self.logger = logger
        self.cluster = cluster
        self.state = Mutex(State(routes: routes))
    }

    /// Replaces the handlers; calls of a method without one fail `unavailable`.
    package func setRoutes(_ routes: WireRoutes) {
        state.withLock { $0.routes = routes }
    }

    /// Nodes that are refused although their certificates are valid; what they have open is closed.
    /// Cheap where nothing changes.
    package func setExpelled(_ nodes: Set<NodeID>) {
        let closing = state.withLock { state -> [WireConnection] in
            guard nodes != state.expelled else { return [] }
            state.expelled = nodes
            return nodes.isEmpty ? [] : Array(state.connections.values)
        }
        for connection in closing {
            connection.inbox.perform {
                guard let peer = connection.peer, nodes.contains(peer.node) else { return }
                connection.close(.refused(Self.expulsion(of: peer)))
            }
        }
    }

    private static func expulsion(of peer: PeerIdentity) -> String {
        "\(peer) was removed from the cluster: a node with an empty data directory may join instead"
    }

    /// A coordinator lets nodes that were removed find it and hears their heartbeats, nothing else,
    /// to tell them so: they end by it.
    private static let methodsOfExpelled: Set<Method> = [.formationProbe, .heartbeat]
    private var tellsExpelled: Bool { certificates.identity.role == .coordinator }

    /// Connections that have shaken hands.
    package var connectionCount: Int { state.withLock { $0.connections.count } }

    /// Tells peers to open nothing more here, lets calls in flight finish until `deadline`, then
    /// closes.
    package func shutdown(deadline: NIODeadline) async {
        let open = state.withLock { state in
            state.isStopping = true
            return Array(state.connections.values)
        }
        guard let loop = open.first?.eventLoop else { return }
        for connection in open { connection.inbox.perform { connection.drain() } }
        let empty = loop.makePromise(of: Void.self)
        let isEmpty = state.withLock { state in
            if !state.connections.isEmpty { state.whenEmpty.append(empty) }
            return state.connections.isEmpty
        }
        if isEmpty { empty.succeed() }
        let timer = loop.scheduleTask(deadline: deadline) {
            for connection in open {
                connection.inbox.perform {
                    connection.close(.connectionLost("the node is stopping"))
                }
            }
        }
        try? await empty.futureResult.get()
        timer.cancel()
    }

    // MARK: For connections

    /// Makes the channel's pipeline that of the node protocol.
    func initialize(_ channel: any Channel) throws {
        let check = CertificateCheck(certificates)
        let tls = NIOSSLServerHandler(
            context: try certificates.contexts().server,
            customVerificationCallback: check.verify, configuration: .wire)
        let connection = WireConnection(
            eventLoop: channel.eventLoop, inbox: LoopInbox(eventLoop: channel.eventLoop),
            settings: settings, side: .server(self), certificate: check)
        try channel.pipeline.syncOperations.addHandlers([tls, connection])
    }

    /// The server's end of a channel of ``WireDialer/simulated(_:)``, on its loop.
    package func accept(_ channel: any Channel, from peer: PeerIdentity) throws {
        let connection = WireConnection(
            eventLoop: channel.eventLoop, inbox: LoopInbox(eventLoop: channel.eventLoop),
            settings: settings, side: .server(self),
            certificate: CertificateCheck(identity: peer))
        try channel.pipeline.syncOperations.addHandler(connection)
        connection.tlsIsUp()
    }

    func hello(cluster: ClusterID?, lane: Lane, settings: WireSettings) -> ProtoHello {
        Handshake.hello(
            identity: certificates.identity, cluster: cluster, lane: lane, settings: settings)
    }

    func admit(_ peer: PeerIdentity, _ connection: WireConnection) throws(HandshakeRefusal) {
        let refusal: String? = state.withLock { state in
            if state.isStopping { return "the node is stopping" }
            if state.expelled.contains(peer.node), !tellsExpelled {
                return Self.expulsion(of: peer)
            }
            state.connections[ObjectIdentifier(connection)] = connection
            return nil
        }
        if let refusal { throw HandshakeRefusal(text: refusal) }
    }

    func closed(_ connection: WireConnection) {
        let waiting = state.withLock { state -> [EventLoopPromise<Void>] in
            state.connections[ObjectIdentifier(connection)] = nil
            guard state.connections.isEmpty else { return [] }
            defer { state.whenEmpty = [] }
            return state.whenEmpty
        }
        for promise in waiting { promise.succeed() }
    }

    func handler(
        of method: Method, for peer: PeerIdentity, on connection: WireConnection
    ) throws(WireFailure) -> WireRoutes.CallHandler {
        let (handler, isExpelled) = state.withLock {
            ($0.routes.calls[method], $0.expelled.contains(peer.node))
        }
        try check(method, peer, isExpelled: isExpelled, connection)
        guard let handler else {
            throw WireFailure(.unavailable, "\(method) is not served here now")
        }
        counters.callsReceived.add(1, ordering: .relaxed)
        return handler
    }

    func receive(
        _ method: Method, _ message: ByteBuffer, from peer: PeerIdentity,
        on connection: WireConnection
    ) {
        let (handler, isExpelled) = state.withLock {
            ($0.routes.messages[method], $0.expelled.contains(peer.node))
        }
        do throws(WireFailure) {
            try check(method, peer, isExpelled: isExpelled, connection)
        } catch {
            counters.messagesRefused.add(1, ordering: .relaxed)
            return
        }
        guard let handler else {
            counters.messagesRefused.add(1, ordering: .relaxed)
            return
        }
        counters.messagesReceived.add(1, ordering: .relaxed)
        handler(peer, message)
    }

    private func check(
        _ method: Method, _ peer: PeerIdentity, isExpelled: Bool, _ connection: WireConnection
    ) throws(WireFailure) {
        guard let rule = MethodRule.of(method) else {
            throw WireFailure(.unknownMethod, "method \(method.rawValue) is unknown")
        }
        guard rule.callers.contains(peer.role) else {
            throw WireFailure(.forbidden, "a \(peer.role.rawValue) may not call \(rule.name)")
        }
        if isExpelled, !Self.methodsOfExpelled.contains(method) {
            throw WireFailure(.forbidden, Self.expulsion(of: peer))
        }
        if rule.isAllowedBeforeFormation { return }
        guard let theirs = connection.peerCluster else {
            throw WireFailure(.unavailable, "the caller was in no cluster when it connected")
        }
        if connection.ownCluster == nil { connection.ownCluster = cluster() }
        guard let ours = connection.ownCluster else {
            throw WireFailure(.unavailable, "the node is in no cluster yet")
        }
        guard ours == theirs else {
            throw WireFailure(.forbidden, "the node is of cluster \(ours), not \(theirs)")
        }
    }
}

extension NIOSSLHandler.Configuration {
    /// A burst's buffer is not kept for ever.
    static var wire: Self {
        var configuration = Self()
        configuration.maximumPreservedOutboundBufferCapacity = 256 << 10
        return configuration
    }
}
