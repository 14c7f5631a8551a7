import Core
import Logging
import NIOCore
import NodeConfiguration
import ServiceLifecycle

/// One node in one role, from opening its port to closing it. Stops gracefully with the service
/// group around it.
struct NodeService: Service {
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
        configuration.maximumGracefulShutdownDuration = .seconds(25)
        try await ServiceGroup(configuration: configuration).run()
    }
}
