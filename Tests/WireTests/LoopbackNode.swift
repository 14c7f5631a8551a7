import Core
import Logging
import NIOCore
import NIOPosix
import Synchronization

@testable import Wire

/// A node on a free port of this machine, with real sockets and real TLS.
final class LoopbackNode: Sendable {
    static let group = MultiThreadedEventLoopGroup.singleton
    static let secret = [UInt8](repeating: 7, count: 32)
    static let cluster = ClusterID(high: 1, low: 2)

    let identity: PeerIdentity
    let server: WireServer
    let pool: WirePool
    let listener: PortListener
    let addresses: AddressTable

    var address: String { "127.0.0.1:\(listener.port)" }
    var id: NodeID { identity.node }

    /// - Parameter configure: Changes the listener before it is bound.
    init(
        _ number: UInt64, role: NodeRole = .coordinator, addresses: AddressTable,
        routes: WireRoutes = WireRoutes(), secrets: [[UInt8]] = [secret],
        cluster: @escaping @Sendable () -> ClusterID? = { LoopbackNode.cluster },
        settings: WireSettings = WireSettings(), clocks: any Clocks = SystemClocks(),
        lifetime: Int64 = ClusterAuthority.lifetime, address: String = "127.0.0.1:0",
        configure: (inout PortListener.Configuration) -> Void = { _ in }
    ) async throws {
        identity = PeerIdentity(node: NodeID(high: 0, low: number), role: role)
        let certificates = try NodeCertificates(
            identity: identity, secrets: secrets, clocks: clocks, lifetime: lifetime)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        server = WireServer(
            certificates: certificates, routes: routes, logger: logger, settings: settings,
            cluster: cluster)
        var configuration = PortListener.Configuration(
            address: address, group: Self.group, logger: logger)
        configuration.wire = server
        configure(&configuration)
        listener = try await PortListener.bind(configuration)
        self.addresses = addresses
        var poolConfiguration = WirePool.Configuration(
            certificates: certificates, group: Self.group, logger: logger, cluster: cluster,
            addressOf: { addresses[$0] })
        poolConfiguration.settings = settings
        pool = WirePool(poolConfiguration)
        addresses[identity.node] = "127.0.0.1:\(listener.port)"
    }

    func stop() async {
        await pool.shutdown()
        await listener.close()
    }
}

/// Who is where; changes when a node moves.
final class AddressTable: Sendable {
    private let table: Mutex<[NodeID: String]> = Mutex([:])

    subscript(node: NodeID) -> String? {
        get { table.withLock { $0[node] } }
        set { table.withLock { $0[node] = newValue } }
    }
}

/// Something that happened, for tests that wait until it has.
final class Journal: Sendable {
    private let lines: Mutex<[String]> = Mutex([])

    func note(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}

/// A count that several tasks see.
final class Tally: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .relaxed) }
    func add(_ more: Int) { count.add(more, ordering: .relaxed) }
}

struct TimedOut: Error {}

/// Waits until `condition` holds, at most `seconds`.
func eventually(
    within seconds: Int = 20, _ condition: @Sendable () async -> Bool
) async throws {
    let end = ContinuousClock.now + .seconds(seconds)
    while await !condition() {
        guard ContinuousClock.now < end else { throw TimedOut() }
        try await Task.sleep(for: .milliseconds(5))
    }
}

extension NIODeadline {
    static func seconds(_ count: Int64) -> NIODeadline { .now() + .seconds(count) }
}

/// Runs `body` with a server and a client node and stops both.
func withPair(
    routes: WireRoutes = WireRoutes(), serverRole: NodeRole = .storage,
    clientRole: NodeRole = .gateway, serverSettings: WireSettings = WireSettings(),
    clientSettings: WireSettings = WireSettings(),
    _ body: (_ server: LoopbackNode, _ client: LoopbackNode) async throws -> Void
) async throws {
    let addresses = AddressTable()
    let server = try await LoopbackNode(
        1, role: serverRole, addresses: addresses, routes: routes, settings: serverSettings)
    let client = try await LoopbackNode(
        2, role: clientRole, addresses: addresses, settings: clientSettings)
    do {
        try await body(server, client)
    } catch {
        await client.stop()
        await server.stop()
        throw error
    }
    await client.stop()
    await server.stop()
}

/// The error of a call that must fail.
func failure<T>(_ body: () async throws(WireError) -> T) async -> WireError? {
    do throws(WireError) {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}
