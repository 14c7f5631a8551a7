import Core
import Logging
import NIOCore
import NodeConfiguration
import ServiceLifecycle

/// One node in one role, from opening its port to closing it. Stops gracefully with the service
/// group around it.
struct NodeService: Service {
    /// What hands over and what is under way gets this long after SIGTERM; then it is cancelled.
    /// The units' `TimeoutStopSec` is longer.
    static let gracefulStopMax = Duration.seconds(25)

    let base: NodeBase

    func run() async throws {
        switch base.configuration.role {
        case .coordinator: try await CoordinatorAssembly.run(base)
        case .storage: try await StorageAssembly.run(base)
        case .gateway: try await GatewayAssembly.run(base)
        }
    }

    /// Runs nodes until SIGTERM or SIGINT, in order of dependence: what is last in the list stops
    /// first.
    static func run(_ bases: [NodeBase], logger: Logger) async throws {
        var configuration = ServiceGroupConfiguration(
            services: bases.map { .init(service: NodeService(base: $0)) },
            gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        configuration.maximumGracefulShutdownDuration = gracefulStopMax
        try await ServiceGroup(configuration: configuration).run()
    }
}
