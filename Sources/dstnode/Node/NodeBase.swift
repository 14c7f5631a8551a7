import Cloud
import ClusterView
import Core
import Discovery
import Foundation
import Gateway
import Logging
import NIOCore
import NIOPosix
import NodeConfiguration
import Wire

/// What every node has, whatever its role: its directory and identity, its certificates, its
/// connections to others.
struct NodeBase: Sendable {
    static let version = "0.1.0"
    /// How long calls in flight may take to end when the node stops.
    static let drainTime = TimeAmount.seconds(5)
    /// How long answers to `/health` and the like may take to end.
    static let statusStopTime = Duration.seconds(1)

    var configuration: NodeConfiguration
    let directory: DataDirectory
    let group: any EventLoopGroup
    let logger: Logger
    let clocks: any Clocks
    let addresses: AddressBook
    let pool: WirePool
    let server: WireServer
    let candidates: Candidates
    /// What the machine's cloud is asked with; nobody is asked before somebody wants to know.
    let clouds: CloudClients
    let metrics: MetricRegistry
    /// Who started this process and wants to know how it does, if anybody.
    var serviceManager: ServiceManager?

    /// Takes the data directory; touches nothing else of the machine.
    ///
    /// - Throws: ``DataDirectoryError``, `TrustError`, `CloudError.badEndpoint`.
    init(
        _ configuration: NodeConfiguration, group: any EventLoopGroup,
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) throws {
        self.configuration = configuration
        self.group = group
        var logger = Logger(label: configuration.role.rawValue)
        logger[metadataKey: "node"] = "\(configuration.label)"
        self.logger = logger
        let clocks = SystemClocks()
        self.clocks = clocks
        var random = SystemRandomNumberGenerator()
        let directory = try DataDirectory.open(
            path: configuration.dataPath, role: configuration.role, using: &random)
        self.directory = directory
        let certificates = try NodeCertificates(
            identity: PeerIdentity(node: directory.identity.node, role: configuration.role),
            secrets: configuration.clusterSecrets.map(\.value), clocks: clocks)
        let addresses = AddressBook()
        self.addresses = addresses
        let cluster: @Sendable () -> ClusterID? = { directory.identity.cluster }
        pool = WirePool(
            WirePool.Configuration(
                certificates: certificates, group: group, logger: logger, cluster: cluster,
                addressOf: { addresses.address(of: $0) }))
        server = WireServer(certificates: certificates, logger: logger, cluster: cluster)
        metrics = MetricRegistry(node: configuration.label)
        clouds = try DiscoveryAssembly.clouds(configuration, environment: environment)
        let candidates = Candidates(
            plugins: DiscoveryAssembly.plugins(
                configuration, clouds: clouds, group: group, clocks: clocks),
            path: directory.path(of: "candidates.json"), logger: logger, clocks: clocks)
        self.candidates = candidates
        metrics.add { DiscoveryAssembly.samples(candidates.report) }
    }

    /// Runs `body` while the port is open, then lets calls in flight end and closes everything.
    /// The service manager is kept informed all the while.
    ///
    /// - Parameter http: The role's own HTTP; `nil`: only what every node says of itself.
    func serve(
        _ checks: NodeChecks, http: PortListener.Initializer? = nil,
        _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        guard let http else { return try await serveOwnEndpoints(checks, body) }
        let listener = try await listen(http)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            if let serviceManager {
                tasks.addTask { await serviceManager.run { await facts(checks) } }
            }
            if let disk = checks.disk { tasks.addTask { await disk.run() } }
            tasks.addTask { [candidates] in await candidates.run() }
            defer { tasks.cancelAll() }
            try await serve(listener, body)
        }
    }

    private func serveOwnEndpoints(
        _ checks: NodeChecks, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let metrics = metrics
        let service = HTTPService(
            endpoints: NodeEndpoints(
                health: { NodeEndpoints.Verdict(problem: await checks.health()) },
                readiness: { NodeEndpoints.Verdict(problem: await checks.ready()) },
                metrics: { metrics.text }),
            logger: logger, clocks: clocks)
        try await serve(checks, http: service.initializer) {
            async let _: Void = service.run()
            let result: Result<Void, any Error>
            do { result = .success(try await body()) } catch { result = .failure(error) }
            await service.shutdown(atMost: Self.statusStopTime)
            try result.get()
        }
    }

    private func facts(_ checks: NodeChecks) async -> ServiceReport.Facts {
        // By way of an event loop: one that stands still keeps the facts from ever being told.
        try? await group.next().submit {}.get()
        return ServiceReport.Facts(
            isOpen: await checks.isOpen(), problem: await checks.health(),
            unreadiness: await checks.ready())
    }

    private func listen(_ http: @escaping PortListener.Initializer) async throws -> PortListener {
        var listening = PortListener.Configuration(
            address: "\(configuration.listenAddress)", group: group, logger: logger)
        listening.wire = server
        listening.http = http
        let listener = try await PortListener.bind(listening)
        logger.info(
            "listening",
            metadata: [
                "address": "\(configuration.listenAddress)",
                "advertised": "\(configuration.advertiseAddress)",
                "node.id": "\(directory.identity.node)",
            ])
        return listener
    }

    private func serve(
        _ listener: PortListener, _ body: @Sendable () async throws -> Void
    ) async throws {
        let result: Result<Void, any Error>
        do { result = .success(try await body()) } catch { result = .failure(error) }
        logger.info("stopping")
        await listener.stopAccepting()
        await server.shutdown(deadline: .now() + Self.drainTime)
        await listener.close()
        await pool.shutdown()
        logger.info("stopped")
        try result.get()
    }

    /// Candidates of discovery, as the roles ask for them.
    var seeds: @Sendable () async -> [String] {
        { [candidates] in await candidates.find() }
    }

    /// What discovery complains of, for the node's heartbeats.
    var discoveryProblems: @Sendable () -> [String] {
        { [candidates] in candidates.report.problems }
    }
}
