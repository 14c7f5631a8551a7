import Core
import NIOCore
import Wire

/// Connections between simulated nodes: streams of bytes that arrive in order and late, or not at
/// all where a link is cut.
///
/// What TCP does about loss is delay: a cut link holds bytes back until it is whole again, and the
/// node protocol's own deadlines break the connection meanwhile, or the restart of a node does.
///
/// `@unchecked Sendable`: confined to the thread of its ``SimulatedTime``.
final class SimulatedNetwork: @unchecked Sendable {
    /// How links behave; nanoseconds.
    struct Weather {
        var delayMax: UInt64 = 500_000
        /// One in so many pieces is late by up to ``latenessMax``, as after a loss; 0: none.
        var lateOneIn = 0
        var latenessMax: UInt64 = 1_000_000_000
        /// By how much all that leaves a node is late, at most.
        var slow: [String: UInt64] = [:]
    }

    /// Who listens at an address.
    struct Listener {
        var name: String
        var identity: PeerIdentity
        var loop: SimulatedLoop
        var server: WireServer
    }

    private let time: SimulatedTime
    var weather = Weather()
    private var listeners: [String: Listener] = [:]
    private var connections: [UInt64: Connection] = [:]
    private var nextConnection: UInt64 = 0
    /// Directed: "from>to", by names of nodes.
    private var cuts: Set<String> = []

    init(_ time: SimulatedTime) { self.time = time }

    // MARK: Nodes

    func listen(_ address: String, _ listener: Listener) { listeners[address] = listener }

    /// The process at `address` is gone: its connections break at once, as a kernel resets them,
    /// or, where its machine is gone too, by silence.
    func silence(_ address: String, _ name: String, resets: Bool) {
        listeners[address] = nil
        for id in connections.keys.sorted() {
            guard let connection = connections[id], connection.joins(name) else { continue }
            connections[id] = nil
            connection.lose(name, resets: resets)
        }
    }

    // MARK: Links

    func cut(from: String, to: String) { cuts.insert("\(from)>\(to)") }

    /// All links are whole again; what they held back arrives.
    func mend() {
        cuts = []
        for id in connections.keys.sorted() { connections[id]?.resume() }
    }

    func mend(from: String, to: String) {
        cuts.remove("\(from)>\(to)")
        for id in connections.keys.sorted() { connections[id]?.resume() }
    }

    func isCut(from: String, to: String) -> Bool {
        !cuts.isEmpty && cuts.contains("\(from)>\(to)")
    }

    func delay(from name: String) -> UInt64 {
        guard let slowness = weather.slow[name] else { return delay() }
        return delay() + .random(in: 0...slowness, using: &time.random)
    }

    private func delay() -> UInt64 {
        if weather.lateOneIn > 0,
            Int.random(in: 0..<weather.lateOneIn, using: &time.random) == 0
        {
            return .random(in: 1...weather.latenessMax, using: &time.random)
        }
        return .random(in: 50_000...max(50_001, weather.delayMax), using: &time.random)
    }

    // MARK: Connecting

    /// - Returns: Both ends joined, or a failure: refused at once, or late where nobody answers.
    func connect(
        from name: String, _ identity: PeerIdentity, _ loop: SimulatedLoop, to place: HostPort,
        timeout: UInt64
    ) -> EventLoopFuture<(any Channel, PeerIdentity)> {
        let promise = loop.makePromise(of: (any Channel, PeerIdentity).self)
        time.after(delay(from: name) * 2) { [self] in
            guard let listener = listeners["\(place)"],
                !isCut(from: name, to: listener.name), !isCut(from: listener.name, to: name)
            else {
                let isRefused = listeners["\(place)"] == nil
                time.after(isRefused ? 0 : timeout) {
                    loop.turn { promise.fail(Unreachable(isRefused: isRefused)) }
                }
                return
            }
            join(name, identity, loop, listener, promise)
        }
        return promise.futureResult
    }

    private func join(
        _ name: String, _ identity: PeerIdentity, _ loop: SimulatedLoop, _ listener: Listener,
        _ promise: EventLoopPromise<(any Channel, PeerIdentity)>
    ) {
        let id = nextConnection
        nextConnection += 1
        let connection = Connection(
            network: self, time: time,
            client: (name, SimulatedChannel(loop)),
            server: (listener.name, SimulatedChannel(listener.loop)))
        connections[id] = connection
        connection.onEnd = { [weak self] in self?.connections[id] = nil }
        let (near, far) = (connection.client.channel, connection.server.channel)
        listener.loop.turn {
            do {
                far.activate()
                try listener.server.accept(far, from: identity)
            } catch {
                far.close(promise: nil)
            }
        }
        loop.turn {
            near.activate()
            promise.succeed((near, listener.identity))
        }
    }

    struct Unreachable: Error, CustomStringConvertible {
        var isRefused: Bool
        var description: String { isRefused ? "connection refused" : "no answer in time" }
    }
}

/// Two ends, and what is under way between them.
private final class Connection: @unchecked Sendable {
    typealias End = (name: String, channel: SimulatedChannel)

    private enum Piece {
        case bytes(ByteBuffer)
        case end
    }

    private struct Sent {
        var number: Int
        var piece: Piece
    }

    private unowned let network: SimulatedNetwork
    private let time: SimulatedTime
    let client: End
    let server: End
    var onEnd: (() -> Void)?
    private var held: [Bool: [Sent]] = [:]
    private var sentCount = 0
    /// When the last piece of a direction arrives: none overtakes it.
    private var lastArrival: [Bool: UInt64] = [:]
    private var closedEnds = 0

    init(network: SimulatedNetwork, time: SimulatedTime, client: End, server: End) {
        self.network = network
        self.time = time
        self.client = client
        self.server = server
        for isClient in [true, false] {
            let end = isClient ? client : server
            end.channel.carry = { [weak self] in self?.send(.bytes($0), fromClient: isClient) }
            end.channel.onClose = { [weak self] in self?.closed(isClient) }
        }
    }

    func joins(_ name: String) -> Bool { client.name == name || server.name == name }

    private func end(_ isClient: Bool) -> End { isClient ? client : server }

    private func send(_ piece: Piece, fromClient: Bool) {
        sentCount += 1
        send(Sent(number: sentCount, piece: piece), fromClient: fromClient)
    }

    private func send(_ sent: Sent, fromClient: Bool) {
        if network.isCut(from: end(fromClient).name, to: end(!fromClient).name) {
            return hold(sent, fromClient: fromClient)
        }
        let arrival = max(
            time.now + network.delay(from: end(fromClient).name), lastArrival[fromClient] ?? 0)
        lastArrival[fromClient] = arrival
        // Both keep the connection alive until the last piece is there.
        time.after(arrival - time.now) { self.arrive(sent, fromClient: fromClient) }
    }

    /// What was under way when the link was cut is held later than what was sent after that.
    private func hold(_ sent: Sent, fromClient: Bool) {
        var pieces = held[fromClient] ?? []
        let place = pieces.firstIndex { $0.number > sent.number } ?? pieces.count
        pieces.insert(sent, at: place)
        held[fromClient] = pieces
    }

    private func arrive(_ sent: Sent, fromClient: Bool) {
        let (sender, receiver) = (end(fromClient), end(!fromClient))
        // Cut while it was under way, or behind something that was.
        let isBehind = (held[fromClient]?.first?.number ?? .max) < sent.number
        if isBehind || network.isCut(from: sender.name, to: receiver.name) {
            return hold(sent, fromClient: fromClient)
        }
        switch sent.piece {
        case .bytes(let bytes):
            receiver.channel.loop.turn { receiver.channel.arrive(bytes) }
            sender.channel.loop.turn { sender.channel.landed(bytes.readableBytes) }
        case .end: receiver.channel.loop.turn { receiver.channel.end() }
        }
    }

    func resume() {
        for isClient in [true, false] {
            let pieces = held.removeValue(forKey: isClient) ?? []
            for piece in pieces { send(piece, fromClient: isClient) }
        }
    }

    private func closed(_ isClient: Bool) {
        closedEnds += 1
        send(.end, fromClient: isClient)
        if closedEnds == 2 { onEnd?() }
    }

    /// The process at one end is gone.
    func lose(_ name: String, resets: Bool) {
        for isClient in [true, false] {
            let end = end(isClient)
            end.channel.carry = nil
            end.channel.onClose = nil
            if end.name == name || resets {
                end.channel.loop.turn { end.channel.close(promise: nil) }
            }
        }
    }
}
