import Core
import Logging
import NIOCore
import SwiftProtobuf
import Synchronization

/// The client side: connections to all peers, made when first needed, kept, made again with
/// jittered back-off. Any thread.
package final class WirePool: Sendable {
    package struct Configuration: Sendable {
        package var certificates: NodeCertificates
        /// This node's cluster, `nil` before formation. Asked at each handshake.
        package var cluster: @Sendable () -> ClusterID?
        /// `host:port` of a node. Asked at each connection, so that nodes may move.
        package var addressOf: @Sendable (NodeID) -> String?
        package var group: any EventLoopGroup
        package var logger: Logger
        /// To each peer; the second is made when the first is busy.
        package var bulkConnections = 2
        package var settings = WireSettings()
        package var dialer = WireDialer.tcp

        package init(
            certificates: NodeCertificates, group: any EventLoopGroup, logger: Logger,
            cluster: @escaping @Sendable () -> ClusterID?,
            addressOf: @escaping @Sendable (NodeID) -> String?
        ) {
            self.certificates = certificates
            self.cluster = cluster
            self.addressOf = addressOf
            self.group = group
            self.logger = logger
        }
    }

    private struct Links {
        var control: PeerLink?
        var bulk: [PeerLink] = []
    }

    private struct State {
        var links: [PeerLink.Target: Links] = [:]
        var addresses: [String] = []
        var isShutDown = false
    }

    package let counters = WireCounters()
    private let logGate = LogGate()
    private let configuration: Configuration
    private let state = Mutex(State())

    package init(_ configuration: Configuration) {
        precondition(configuration.bulkConnections > 0)
        self.configuration = configuration
    }

    /// What deadlines of calls are counted from.
    package var now: NIODeadline { configuration.group.any().now }

    /// Of the authority that this node trusts; `nil` before a joining node has its certificate.
    package var authorityFingerprint: String? { configuration.certificates.fingerprint }

    /// Closes all connections; calls in flight end `connectionLost`.
    package func shutdown() async {
        let links = state.withLock { state in
            state.isShutDown = true
            return state.links.values.flatMap { $0.bulk + ($0.control.map { [$0] } ?? []) }
        }
        for link in links { await link.shutdown() }
    }

    // MARK: One-way messages

    /// Best effort, in order while the connection stands; dropped and counted when the peer can't
    /// be reached or ``WireLimits/oneWayQueuedBytesMax`` wait.
    package func send(_ method: Method, to node: NodeID, _ message: ByteBuffer) {
        link(method, .node(node)).send(method, message)
    }

    // MARK: Links

    /// A new stream and the link that will carry it.
    func prepare(
        _ method: Method, _ target: PeerLink.Target, _ message: ByteBuffer, deadline: NIODeadline,
        isUnary: Bool
    ) -> (stream: WireStream, link: PeerLink) {
        counters.callsOpened.add(1, ordering: .relaxed)
        let link = link(method, target)
        let stream = WireStream(
            method: method, message: message, deadline: deadline, inbox: link.inbox,
            receiver: .none, queuedBytesHigh: configuration.settings.queuedBytesHigh)
        stream.hasEndQueued = isUnary
        stream.load = link
        link.activeCount.add(1, ordering: .relaxed)
        return (stream, link)
    }

    private func link(_ method: Method, _ target: PeerLink.Target) -> PeerLink {
        let lane = MethodRule.of(method)?.lane ?? .control
        return state.withLock { state in
            var links = state.links[target] ?? Links()
            let link: PeerLink
            if lane == .control, let control = links.control { return control }
            if lane == .bulk, let quiet = quietest(links.bulk) { return quiet }
            if case .address(let address) = target, state.links[target] == nil {
                makeRoom(for: address, &state)
            }
            link = PeerLink(
                target: target, lane: lane, pool: configuration, counters: counters,
                logGate: logGate, eventLoop: configuration.group.next(),
                isClosed: state.isShutDown)
            if lane == .control { links.control = link } else { links.bulk.append(link) }
            state.links[target] = links
            return link
        }
    }

    /// The bulk link with the fewest calls; `nil` to make one more.
    private func quietest(_ links: [PeerLink]) -> PeerLink? {
        var best: (link: PeerLink, count: Int)?
        for link in links {
            let count = link.activeCount.load(ordering: .relaxed)
            if best.map({ count < $0.count }) ?? true { best = (link, count) }
        }
        guard let best else { return nil }
        return best.count > 0 && links.count < configuration.bulkConnections ? nil : best.link
    }

    /// Addresses that were called come and go; only the latest are kept.
    private func makeRoom(for address: String, _ state: inout State) {
        state.addresses.append(address)
        guard state.addresses.count > WireLimits.addressesMax else { return }
        let oldest = PeerLink.Target.address(state.addresses.removeFirst())
        guard let links = state.links.removeValue(forKey: oldest) else { return }
        for link in links.bulk + (links.control.map { [$0] } ?? []) { link.retire() }
    }
}
