import ClusterView
import Core
import Logging
import NIOCore
import Synchronization
import Wire

/// Join tokens straight from the coordinators, for who holds CLUSTER_SECRET: where gateways join by
/// tokens, there is no gateway to ask for the first one.
///
/// The coordinators see a gateway that registers nowhere and is gone after the answer.
package struct DirectTokens: Sendable {
    /// No coordinator of a cluster was found in time. The operator corrects secret or addresses, or
    /// waits until the cluster has formed.
    package struct NoCluster: Error, CustomStringConvertible {
        package let description: String
    }

    private final class Known: Sendable {
        let cluster = Mutex<ClusterID?>(nil)
        let reason = Mutex("no coordinator has answered yet")
    }

    private let pool: WirePool
    private let addresses: AddressBook
    private let known: Known
    private let seeds: [String]
    private let clocks: any Clocks
    private let logger: Logger

    /// - Parameters:
    ///   - secrets: CLUSTER_SECRET: one, or two while one replaces the other.
    ///   - seeds: Addresses of coordinators; one that answers is enough.
    /// - Throws: `TrustError`.
    package init(
        secrets: [[UInt8]], seeds: [String], group: any EventLoopGroup, clocks: any Clocks,
        logger: Logger
    ) throws {
        var random = SystemRandomNumberGenerator()
        let identity = PeerIdentity(node: NodeID.random(using: &random), role: .gateway)
        let addresses = AddressBook()
        let known = Known()
        pool = WirePool(
            WirePool.Configuration(
                certificates: try NodeCertificates(
                    identity: identity, secrets: secrets, clocks: clocks),
                group: group, logger: logger, cluster: { known.cluster.withLock { $0 } },
                addressOf: { addresses.address(of: $0) }))
        self.addresses = addresses
        self.known = known
        self.seeds = seeds
        self.clocks = clocks
        self.logger = logger
    }

    /// Runs `body` once, and closes all connections after it.
    ///
    /// - Throws: ``NoCluster``, and what `body` throws: errors of S3, as the admin API says them.
    package func run<Answer: Sendable>(
        _ body: @escaping @Sendable (AdminTokens) async throws -> Answer
    ) async throws -> Answer {
        let result: Result<Answer, any Error>
        do { result = .success(try await answer(body)) } catch { result = .failure(error) }
        await pool.shutdown()
        return try result.get()
    }

    private func answer<Answer: Sendable>(
        _ body: @escaping @Sendable (AdminTokens) async throws -> Answer
    ) async throws -> Answer {
        let cluster = try await findCluster()
        known.cluster.withLock { $0 = cluster }
        let follower = ClusterFollower(
            pool: pool, addresses: addresses, clocks: clocks, logger: logger,
            seeds: { [seeds] in seeds })
        let tokens = AdminTokens(
            door: AdminCatalogue(
                catalogue: CatalogueOverWire(follower: follower, clocks: clocks), clocks: clocks),
            clocks: clocks, logger: logger, fingerprint: pool.authorityFingerprint)
        return try await withThrowingTaskGroup(of: Answer?.self) { group in
            group.addTask {
                await follower.run()
                return nil
            }
            group.addTask { try await body(tokens) }
            defer { group.cancelAll() }
            while let answer = try await group.next() {
                if let answer { return answer }
            }
            throw CancellationError()
        }
    }

    private func findCluster() async throws -> ClusterID {
        let finder = ClusterFinder(
            pool: pool, addresses: addresses, clocks: clocks, logger: logger,
            seeds: { [seeds] in seeds },
            waits: { [known] reason in known.reason.withLock { $0 = reason } })
        let clocks = clocks
        let found: ClusterID? = try await withThrowingTaskGroup(of: ClusterID?.self) { group in
            group.addTask { try await finder.findCluster() }
            group.addTask {
                try await clocks.sleep(for: GatewayLimits.directFindTime)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        guard let found else { throw NoCluster(description: known.reason.withLock { $0 }) }
        return found
    }
}
