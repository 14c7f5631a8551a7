import Core
import Messages
import NIOCore
import Synchronization

@testable import ObjectStore
@testable import ObjectStoreModel

/// Time that stands still unless a test moves it.
final class TestClocks: Clocks {
    private let time = Mutex<UInt64>(1_000_000)
    var monotonic: MonotonicTime { MonotonicTime(milliseconds: time.withLock { $0 }) }
    var wall: WallTime { WallTime(milliseconds: Int64(time.withLock { $0 }) + 1_700_000_000_000) }
    func advance(by milliseconds: UInt64) { time.withLock { $0 += milliseconds } }
}

final class ModelCluster: ClusterDoor {
    private let state: Mutex<ClusterSnapshot>
    private let catalogue: ModelCatalogue
    /// Buckets as they were once: a watch that lags behind.
    let stale = Mutex<[String: BucketInfo]>([:])
    init(_ snapshot: ClusterSnapshot, _ catalogue: ModelCatalogue) {
        state = Mutex(snapshot)
        self.catalogue = catalogue
    }
    var snapshot: ClusterSnapshot { state.withLock { $0 } }
    func bucket(named name: String) -> BucketInfo? {
        stale.withLock { $0[name] } ?? catalogue.bucket(named: name)
    }
    func update(_ body: (inout ClusterSnapshot) -> Void) { state.withLock { body(&$0) } }
}

/// A service with models behind all its doors.
struct World {
    let clocks = TestClocks()
    let nodes: [NodeID]
    let catalogue = ModelCatalogue()
    let chunks: ModelChunks
    let cluster: ModelCluster
    let service: ObjectService
    let keys = KeyRing(current: [UInt8](repeating: 7, count: 32))

    init(nodeCount: Int = 6, replication: Int = 3, seed: UInt64 = 1) {
        var random = SeededRandom(seed: seed)
        let nodes = (0..<nodeCount).map { NodeID(high: 0xA0, low: UInt64($0)) }
        self.nodes = nodes
        let partitions = (0..<PartitionID.count).map { _ in
            ClusterSnapshot.Partition(
                nodes: Array(nodes.shuffled(using: &random).prefix(replication)))
        }
        let health = Dictionary(
            uniqueKeysWithValues: nodes.map {
                ($0, ClusterSnapshot.Health(state: .up, acceptsWrites: true))
            })
        chunks = ModelChunks(nodes: nodes, clocks: clocks)
        cluster = ModelCluster(
            ClusterSnapshot(
                epoch: Epoch(rawValue: 5), replicationFactor: replication,
                partitions: partitions, health: health), catalogue)
        service = ObjectService(
            cluster: cluster, catalogue: catalogue, chunks: chunks, keys: keys, clocks: clocks,
            random: World.seeded(seed))
    }

    static func seeded(_ seed: UInt64) -> Randomness {
        let generator = SharedGenerator(seed: seed)
        return Randomness { generator.next() }
    }

    private final class SharedGenerator: Sendable {
        private let random: Mutex<SeededRandom>
        init(seed: UInt64) { random = Mutex(SeededRandom(seed: seed &+ 99)) }
        func next() -> UInt64 { random.withLock { $0.next() } }
    }

    /// Runs `body` while time flies: a hundred times as fast as it does.
    @discardableResult
    func withTime<Value: Sendable>(
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let (clocks, service) = (clocks, service)
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    try? await Task.sleep(for: .milliseconds(1))
                    clocks.advance(by: 100)
                    service.tick()
                }
                return nil
            }
            group.addTask { try await body() }
            while let value = try await group.next() {
                guard let value else { continue }
                group.cancelAll()
                return value
            }
            throw CancellationError()
        }
    }

    // MARK: Shorthands

    func address(_ key: String, bucket: String = "b") throws -> ObjectAddress {
        ObjectAddress(bucket: bucket, key: try ObjectKey(key))
    }

    func makeBucket(_ name: String = "b") async throws {
        _ = try await service.createBucket(name, owner: "root")
    }

    @discardableResult
    func put(
        _ key: String, _ bytes: [UInt8], _ change: (inout PutRequest) -> Void = { _ in }
    ) async throws -> ObjectInfo {
        var request = PutRequest(try address(key), length: bytes.count)
        change(&request)
        return try await service.put(request, body: PieceSource(bytes))
    }

    func get(
        _ key: String, _ change: (inout GetRequest) -> Void = { _ in }
    ) async throws -> [UInt8] {
        var request = GetRequest(try address(key))
        change(&request)
        return try await Self.bytes(of: service.get(request).body)
    }

    static func bytes(of body: ObjectBody) async throws -> [UInt8] {
        if let whole = body.whole { return Array(whole.readableBytesView) }
        var bytes: [UInt8] = []
        for try await piece in body { bytes += piece.readableBytesView }
        return bytes
    }
}

/// A body in pieces, that can break off or be wrong at the end.
struct PieceSource: ByteSource {
    struct Broken: Error, Equatable {}
    private let bytes: [UInt8]
    private let pieceBytes: Int
    private let breaksAt: Int?
    private let breaksAtEnd: Bool
    private var position = 0
    var trailingChecksum: ObjectChecksum?

    init(
        _ bytes: [UInt8], pieceBytes: Int = 70_000, breaksAt: Int? = nil,
        breaksAtEnd: Bool = false, trailing: ObjectChecksum? = nil
    ) {
        self.bytes = bytes
        self.pieceBytes = pieceBytes
        self.breaksAt = breaksAt
        self.breaksAtEnd = breaksAtEnd
        trailingChecksum = trailing
    }

    mutating func next() async throws -> ByteBuffer? {
        if let breaksAt, position >= breaksAt { throw Broken() }
        guard position < bytes.count else {
            if breaksAtEnd { throw Broken() }
            return nil
        }
        let end = min(position + pieceBytes, bytes.count)
        defer { position = end }
        return ByteBuffer(bytes: bytes[position..<end])
    }
}

/// A client that takes its time.
struct SlowSource: ByteSource {
    private var source: PieceSource
    private let clocks: TestClocks
    /// Milliseconds before each piece of 64 KiB; the last for all that follow.
    private var pauses: [UInt64]
    let trailingChecksum: ObjectChecksum? = nil

    init(_ bytes: [UInt8], pauses: [UInt64], clocks: TestClocks) {
        source = PieceSource(bytes, pieceBytes: Limits.blockBytes)
        self.pauses = pauses
        self.clocks = clocks
    }

    mutating func next() async throws -> ByteBuffer? {
        clocks.advance(by: pauses.count > 1 ? pauses.removeFirst() : pauses[0])
        return try await source.next()
    }
}

/// Bytes that tell where they are.
func pattern(_ count: Int, seed: UInt64 = 0) -> [UInt8] {
    var random = SeededRandom(seed: seed &+ UInt64(count))
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 8)
    while bytes.count < count {
        withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) }
    }
    bytes.removeLast(bytes.count - count)
    return bytes
}

func checksum(_ bytes: [UInt8], _ algorithm: ObjectChecksum.Algorithm) -> [UInt8] {
    var digests = BodyDigests(algorithm)
    digests.update(ByteBuffer(bytes: bytes))
    return digests.finish().checksum?.value ?? []
}
