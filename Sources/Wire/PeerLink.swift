import Core
import DequeModule
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// One lane to one peer: a connection when there is one, the next attempt else.
///
/// ```
///        call                 HELLO
/// idle ───────▶ connecting ─────────▶ ready ──idle, peer stops──▶ idle
///                   │ failed             │ lost
///                   ▼                    ▼
///                waiting ◀───────────────┘      (jittered, doubling; calls fail at once)
/// ```
///
/// `@unchecked Sendable`: all mutable state is touched on `inbox.eventLoop` only.
final class PeerLink: @unchecked Sendable {
    enum Target: Hashable, Sendable {
        case node(NodeID)
        case address(String)
    }

    private enum State {
        case idle
        case connecting
        case ready(WireConnection, since: NIODeadline)
        case waiting(until: NIODeadline, WireError)
        case closed
    }

    let inbox: LoopInbox
    /// Calls in flight, for choosing among links. Any thread.
    let activeCount = Atomic<Int>(0)
    private let target: Target
    private let lane: Lane
    private let pool: WirePool.Configuration
    private let counters: WireCounters
    private let logGate: LogGate
    private var state: State
    private var backoff: TimeAmount
    private var pending: [WireStream] = []
    private var messages = Deque<(method: Method, bytes: ByteBuffer)>()
    /// Bytes of one-way messages on their way to the socket. Any thread.
    private let messageBytes = Atomic<Int>(0)

    init(
        target: Target, lane: Lane, pool: WirePool.Configuration, counters: WireCounters,
        logGate: LogGate, eventLoop: any EventLoop, isClosed: Bool
    ) {
        self.logGate = logGate
        self.state = isClosed ? .closed : .idle
        self.target = target
        self.lane = lane
        self.pool = pool
        self.counters = counters
        self.inbox = LoopInbox(eventLoop: eventLoop)
        self.backoff = pool.settings.backoffMin
    }

    // MARK: Any thread

    func open(_ stream: WireStream, _ receiver: WireStream.Receiver) {
        inbox.perform {
            stream.attach(receiver)
            self.openNow(stream)
        }
    }

    func send(_ method: Method, _ message: ByteBuffer) {
        let bytes = message.readableBytes
        let waiting = messageBytes.add(bytes, ordering: .relaxed).newValue
        guard waiting <= WireLimits.oneWayQueuedBytesMax else {
            messageBytes.subtract(bytes, ordering: .relaxed)
            counters.messagesDropped.add(1, ordering: .relaxed)
            return
        }
        inbox.perform { self.sendNow(method, message) }
    }

    /// Closes the connection and takes no more calls.
    func shutdown() async {
        await withCheckedContinuation { continuation in
            inbox.perform {
                let last = self.state
                self.state = .closed
                self.failPending(.unreachable("this node is stopping"))
                if case .ready(let connection, _) = last {
                    connection.close(.connectionLost("this node is stopping"))
                }
                continuation.resume()
            }
        }
    }

    /// Calls in flight finish; then the connection closes.
    func retire() {
        inbox.perform {
            guard case .ready(let connection, _) = self.state else { return }
            self.state = .idle
            connection.retire()
        }
    }

    // MARK: On the loop

    private func openNow(_ stream: WireStream) {
        guard !stream.isOver.load(ordering: .relaxed) else { return }
        switch usable(for: stream.method) {
        case .ready(let connection, _):
            connection.open(stream)
        case .connecting, .idle:
            guard pending.count < WireLimits.pendingCallsMax else {
                stream.end(.overloaded)
                return
            }
            pending.append(stream)
            let timer = inbox.eventLoop.assumeIsolated().scheduleTask(deadline: stream.deadline) {
                if stream.connection == nil { stream.end(.deadlinePassed(mayHaveRun: false)) }
            }
            stream.onConnect = { timer.cancel() }
            if case .idle = state { connect() }
        case .waiting(_, let error):
            stream.end(error)
        case .closed:
            stream.end(.unreachable("this node is stopping"))
        }
    }

    private func sendNow(_ method: Method, _ message: ByteBuffer) {
        switch usable(for: method) {
        case .ready(let connection, _):
            transmit(method, message, on: connection)
        case .connecting:
            messages.append((method, message))
        case .idle:
            messages.append((method, message))
            connect()
        case .waiting, .closed:
            drop(message)
        }
    }

    private func transmit(_ method: Method, _ message: ByteBuffer, on connection: WireConnection) {
        guard !connection.isSocketFull,
            message.readableBytes <= connection.peerMessageBytesMax
        else {
            drop(message)
            return
        }
        messageBytes.subtract(message.readableBytes, ordering: .relaxed)
        counters.messagesSent.add(1, ordering: .relaxed)
        connection.send(method, message)
    }

    private func drop(_ message: ByteBuffer) {
        messageBytes.subtract(message.readableBytes, ordering: .relaxed)
        counters.messagesDropped.add(1, ordering: .relaxed)
    }

    /// The state, after time and the cluster's formation have had their say.
    private func usable(for method: Method) -> State {
        switch state {
        case .waiting(let until, _) where until <= inbox.eventLoop.now:
            state = .idle
        case .ready(let connection, _) where connection.ownCluster == nil:
            // It said hello before there was a cluster: say it again.
            if MethodRule.of(method)?.isAllowedBeforeFormation != true, pool.cluster() != nil {
                state = .idle
                connection.retire()
            }
        case .idle, .connecting, .ready, .waiting, .closed:
            break
        }
        return state
    }

    private func failPending(_ error: WireError) {
        let streams = pending
        pending = []
        for stream in streams {
            stream.connected()
            stream.end(error)
        }
        while let (_, message) = messages.popFirst() { drop(message) }
    }
}

// MARK: - Connecting

extension PeerLink {
    private func connect() {
        state = .connecting
        let (address, expected) = whereTo()
        guard let address else {
            failed(.unreachable("no address is known for node \(targetText)"))
            return
        }
        guard let place = HostPort(address) else {
            failed(.unreachable("'\(address)' is no host:port"))
            return
        }
        switch pool.dialer {
        case .tcp: dial(place, address, expected)
        case .simulated(let dial):
            dial(place, inbox.eventLoop).assumeIsolated().whenComplete { result in
                switch result {
                case .success(let (channel, peer)):
                    self.begin(channel, CertificateCheck(identity: peer), expected)
                case .failure(let error): self.failed(.unreachable("\(address): \(error)"))
                }
            }
        }
    }

    private func dial(_ place: HostPort, _ address: String, _ expected: NodeID?) {
        let contexts: NodeCertificates.Contexts
        do throws(TrustError) {
            contexts = try pool.certificates.contexts()
        } catch {
            failed(.unreachable("no certificate: \(error)"))
            return
        }
        ClientBootstrap(group: inbox.eventLoop)
            .connectTimeout(pool.settings.connectTimeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.writeBufferWaterMark, value: .wire)
            .channelOption(.recvAllocator, value: .wire)
            .connect(host: place.host, port: place.port)
            .assumeIsolated()
            .whenComplete { result in
                switch result {
                case .success(let channel):
                    self.begin(
                        channel, CertificateCheck(self.pool.certificates), contexts, expected)
                case .failure(let error): self.failed(.unreachable("\(address): \(error)"))
                }
            }
    }

    private func whereTo() -> (address: String?, expected: NodeID?) {
        switch target {
        case .node(let node): (pool.addressOf(node), node)
        case .address(let address): (address, nil)
        }
    }

    private var targetText: String {
        switch target {
        case .node(let node): "\(node)"
        case .address(let address): address
        }
    }

    private func begin(
        _ channel: any Channel, _ check: CertificateCheck, _ contexts: NodeCertificates.Contexts,
        _ expected: NodeID?
    ) {
        let verify = check.verify
        begin(channel, check, expected) {
            try NIOSSLClientHandler(
                context: contexts.client, serverHostname: nil,
                customVerificationCallback: verify, configuration: .wire)
        }
    }

    /// - Parameter tls: What goes in front; without it the channel is as good as encrypted.
    private func begin(
        _ channel: any Channel, _ check: CertificateCheck, _ expected: NodeID?,
        tls: (() throws -> NIOSSLClientHandler)? = nil
    ) {
        guard case .connecting = state, channel.isActive else {
            channel.close(promise: nil)
            failed(.unreachable("the connection closed at once"))
            return
        }
        let client = WireConnection.Client(
            expected: expected, identity: pool.certificates.identity, lane: lane,
            cluster: pool.cluster(), logger: pool.logger, logGate: logGate,
            onReady: { self.isReady($0) }, onDraining: { self.isDraining($0) },
            onClosed: { self.closed($0, $1) })
        let connection = WireConnection(
            eventLoop: inbox.eventLoop, inbox: inbox, settings: pool.settings,
            side: .client(client), certificate: check)
        do {
            let pipeline = channel.pipeline.syncOperations
            if let tls { try pipeline.addHandler(try tls()) }
            try pipeline.addHandler(connection)
            if tls == nil { connection.tlsIsUp() }
        } catch {
            channel.close(promise: nil)
            failed(.unreachable("\(error)"))
        }
    }

    private func isReady(_ connection: WireConnection) {
        guard case .connecting = state else {
            connection.close(.connectionLost("this node is stopping"))
            return
        }
        counters.connectionsMade.add(1, ordering: .relaxed)
        state = .ready(connection, since: inbox.eventLoop.now)
        let streams = pending
        pending = []
        for stream in streams {
            stream.connected()
            connection.open(stream)
        }
        while let (method, message) = messages.popFirst() {
            transmit(method, message, on: connection)
        }
    }

    private func isDraining(_ connection: WireConnection) {
        if case .ready(let current, _) = state, current === connection { state = .idle }
    }

    private func closed(_ connection: WireConnection, _ reason: WireError) {
        switch state {
        case .connecting where connection.peer == nil:
            failed(reason)
        case .ready(let current, let since) where current === connection:
            // A peer that hangs up at once is not asked again at once.
            if inbox.eventLoop.now - since > pool.settings.backoffMax {
                backoff = pool.settings.backoffMin
                state = .idle
            } else {
                failed(.unreachable("the connection broke: \(reason)"))
            }
        case .idle, .connecting, .ready, .waiting, .closed:
            break
        }
    }

    private func failed(_ error: WireError) {
        if case .closed = state { return }
        counters.connectionsFailed.add(1, ordering: .relaxed)
        pool.logger.debug(
            "no connection", metadata: ["to": "\(targetText)", "error": "\(error)"])
        let nanoseconds = backoff.nanoseconds
        var random = Randomness.system
        let jittered = TimeAmount.nanoseconds(
            .random(in: nanoseconds / 2...nanoseconds, using: &random))
        state = .waiting(until: inbox.eventLoop.now + jittered, error)
        backoff = min(backoff * 2, pool.settings.backoffMax)
        failPending(error)
    }
}

extension ChannelOptions.Types.WriteBufferWaterMark {
    static var wire: Self { Self(low: 256 << 10, high: 1 << 20) }
}

extension RecvByteBufferAllocator where Self == AdaptiveRecvByteBufferAllocator {
    /// Small while little comes, large while chunks do.
    static var wire: AdaptiveRecvByteBufferAllocator {
        AdaptiveRecvByteBufferAllocator(minimum: 2 << 10, initial: 8 << 10, maximum: 64 << 10)
    }
}
