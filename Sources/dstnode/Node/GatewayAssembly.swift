import Core
import Gateway
import Messages
import NodeConfiguration

/// Puts a gateway together.
enum GatewayAssembly {
    static func run(_ base: NodeBase) async throws {
        let configuration = base.configuration
        let directory = base.directory
        let metrics = base.metrics
        var settings = Gateway.Configuration(
            node: node(base), encryptionKeys: configuration.encryptionKeys.map(\.value))
        settings.region = configuration.region
        settings.domain = configuration.domain ?? ""
        settings.rootKey = configuration.rootKey.map { ($0.accessKey, $0.secretKey.value) }
        settings.clusterSecrets = configuration.clusterSecrets.map(\.value)
        var foundation = Gateway.Foundation(
            pool: base.pool, addresses: base.addresses, clocks: base.clocks,
            logger: base.logger, seeds: base.seeds,
            cluster: { directory.identity.cluster },
            clusterIsKnown: { try directory.join($0) },
            metrics: metrics, metricsText: { metrics.text })
        foundation.discoveryProblems = base.discoveryProblems
        let gateway = Gateway(settings, on: foundation)
        try await base.serve(
            NodeChecks(
                isOpen: { true }, problem: { gateway.problem },
                unreadiness: { gateway.unreadiness }),
            http: gateway.http
        ) {
            try await gateway.run()
        }
    }

    private static func node(_ base: NodeBase) -> ProtoNode {
        .with {
            $0.id = base.directory.identity.node.data
            $0.label = base.configuration.label
            $0.role = .gateway
            $0.address = base.configuration.advertiseAddress.description
            $0.zone = base.configuration.zone
            $0.membership = .member
            $0.version = NodeBase.version
        }
    }
}
