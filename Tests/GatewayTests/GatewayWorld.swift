import ClusterView
import Core
import Logging
import NIOPosix
import ObjectStore
import S3
import Synchronization
import Wire

@testable import Gateway
@testable import ObjectStoreModel

/// A gateway on a real port, with models behind its doors.
final class GatewayWorld: Sendable {
    static let rootKey = (
        id: "ROOTKEYROOTKEYROOTK1", secret: "root/secret+root/secret+root/secret+root"
    )

    let port: Int
    let chunks = MemoryChunks()
    let keys: AccessKeys
    private let listener: PortListener
    let service: HTTPService
    private let runner: Task<Void, Never>
    let signer = SigV4Signer(
        accessKey: rootKey.id, secret: rootKey.secret, region: "eu-test-1")

    /// Runs `body` against a gateway of its own.
    static func with(
        domain: String = "", inFlightMax: Int = 64,
        _ body: (GatewayWorld) async throws -> Void
    ) async throws {
        let world = try await GatewayWorld(domain: domain, inFlightMax: inFlightMax)
        do { try await body(world) } catch {
            await world.stop()
            throw error
        }
        await world.stop()
    }

    private init(domain: String, inFlightMax: Int) async throws {
        let clocks = SystemClocks()
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        let catalogue = ModelCatalogue()
        let objects = ObjectService(
            cluster: StillCluster(catalogue), catalogue: catalogue, chunks: chunks,
            keys: KeyRing(current: [UInt8](repeating: 7, count: 32)), clocks: clocks)
        keys = AccessKeys(
            root: Self.rootKey,
            sealKeys: { AccessKeySeal.keys(of: [[UInt8](repeating: 9, count: 32)]) })
        let admin = AdminApplication(
            catalogue: catalogue, keys: keys, clocks: clocks, logger: logger,
            cluster: { ClusterState() }, waitUntil: { $0(ClusterState()) },
            report: { StatusReport.make([], state: .init(), isFresh: true) },
            fingerprint: { String(repeating: "ab", count: 32) })
        let fresh = FreshFlag()
        let application = S3Application(
            configuration: S3Application.Configuration(
                region: "eu-test-1", domain: domain, requestsInFlightMax: inFlightMax),
            objects: objects,
            authenticator: Authenticator(keys: keys, region: "eu-test-1", clocks: clocks),
            admin: admin, metrics: RequestMetrics(), logger: logger, clocks: clocks,
            isFresh: { fresh.value.load(ordering: .relaxed) })
        self.fresh = fresh
        let service = HTTPService(
            endpoints: NodeEndpoints(
                health: { .fine }, readiness: { .problem("no leader") },
                metrics: { "dst_up 1\n" }),
            application: application, logger: logger, clocks: clocks)
        self.service = service
        var listening = PortListener.Configuration(
            address: "127.0.0.1:0", group: MultiThreadedEventLoopGroup.singleton, logger: logger)
        listening.http = service.initializer
        listener = try await PortListener.bind(listening)
        port = listener.port
        runner = Task { await objects.run() }
    }

    private let fresh: FreshFlag

    func setFresh(_ isFresh: Bool) { fresh.value.store(isFresh, ordering: .relaxed) }

    private func stop() async {
        runner.cancel()
        await service.shutdown(atMost: .seconds(1))
        await listener.close()
    }

    // MARK: Requests

    /// The bytes of a signed request.
    func request(
        _ method: String, _ target: String, _ headers: [(String, String)] = [],
        body: [UInt8] = [], payload: String? = nil, host: String = "localhost",
        signer: SigV4Signer? = nil
    ) -> [UInt8] {
        var head = S3RequestHead(
            method: method, target: target, headers: S3Headers([("host", host)] + headers))
        let hash = payload ?? Hex.encode(Digest.of(body, .sha256))
        (signer ?? self.signer).sign(&head, payload: hash, now: SystemClocks().wall)
        return Self.bytes(head, body: body)
    }

    static func bytes(_ head: S3RequestHead, body: [UInt8] = []) -> [UInt8] {
        let query = head.query.isEmpty ? "" : "?\(head.query)"
        var text = "\(head.method) \(head.path)\(query) HTTP/1.1\r\n"
        for field in head.headers { text += "\(field.name): \(field.value)\r\n" }
        if !head.headers.has("content-length"), !body.isEmpty || head.method == "PUT" {
            text += "content-length: \(body.count)\r\n"
        }
        return Array((text + "\r\n").utf8) + body
    }

    /// One signed request on a connection of its own.
    func ask(
        _ method: String, _ target: String, _ headers: [(String, String)] = [],
        body: [UInt8] = [], payload: String? = nil, host: String = "localhost",
        signer: SigV4Signer? = nil
    ) async throws -> RawConnection.Response {
        let connection = try await RawConnection.open(port)
        try await connection.send(
            request(
                method, target, headers, body: body, payload: payload, host: host,
                signer: signer))
        return try await connection.response(to: method)
    }
}

final class FreshFlag: Sendable {
    let value = Atomic<Bool>(true)
}

/// Three nodes that hold everything; buckets as the catalogue has them.
private final class StillCluster: ClusterDoor {
    let snapshot: ClusterSnapshot
    private let catalogue: ModelCatalogue

    init(_ catalogue: ModelCatalogue) {
        self.catalogue = catalogue
        let nodes = (1...3).map { NodeID(high: 1, low: $0) }
        snapshot = ClusterSnapshot(
            epoch: Epoch(rawValue: 1), replicationFactor: 3,
            partitions: PartitionID.all.map { _ in ClusterSnapshot.Partition(nodes: nodes) },
            health: Dictionary(
                uniqueKeysWithValues: nodes.map {
                    ($0, ClusterSnapshot.Health(state: .up, acceptsWrites: true))
                }))
    }

    func bucket(named name: String) -> BucketInfo? { catalogue.bucket(named: name) }
}
