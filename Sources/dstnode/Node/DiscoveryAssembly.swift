import Cloud
import Core
import Discovery
import NIOCore
import NodeConfiguration

/// Puts discovery together: one plugin per word of `DISCOVERY_METHOD`.
enum DiscoveryAssembly {
    /// - Parameter environment: For the endpoints of clouds.
    /// - Throws: `CloudError.badEndpoint`.
    static func clouds(
        _ configuration: NodeConfiguration, environment: [String: String]
    ) throws -> CloudClients {
        CloudClients(
            shell: CloudShell(endpoints: try CloudEndpoints(environment: environment)),
            azureClientID: configuration.discovery.azureClientID)
    }

    static func plugins(
        _ configuration: NodeConfiguration, clouds: CloudClients, group: any EventLoopGroup,
        clocks: any Clocks
    ) -> [any DiscoveryPlugin] {
        let discovery = configuration.discovery
        let (cluster, port) = (configuration.clusterName, discovery.port)
        return discovery.methods.map { method -> any DiscoveryPlugin in
            switch method {
            case .static: StaticDiscovery(seeds: configuration.seeds)
            case .dns:
                DNSDiscovery(
                    names: discovery.dnsNames.compactMap { DNSDiscoveryName($0) },
                    resolver: DNSResolver(
                        settings: discovery.dnsServer.map(ResolverSettings.only),
                        transport: NIODNSTransport(group: group), clocks: clocks))
            case .aws: AWSDiscovery(clients: clouds, cluster: cluster, port: port)
            case .gcp: GCPDiscovery(clients: clouds, cluster: cluster, port: port)
            case .azure: AzureDiscovery(clients: clouds, cluster: cluster, port: port)
            case .cloud: CloudDiscovery(clients: clouds, cluster: cluster, port: port)
            }
        }
    }

    /// Figures of each source.
    static func samples(_ report: DiscoveryReport) -> [MetricRegistry.Sample] {
        report.sources.flatMap { source in
            let labels = [("source", source.name)]
            func count(_ name: String, _ value: Int) -> MetricRegistry.Sample {
                MetricRegistry.Sample("discovery.\(name)", labels, value, isCounter: true)
            }
            return [
                MetricRegistry.Sample("discovery.peers", labels, source.peers.count),
                MetricRegistry.Sample("discovery.failing", labels, source.error == nil ? 0 : 1),
                MetricRegistry.Sample(
                    "discovery.asked.seconds", labels,
                    (source.askedAt?.milliseconds ?? 0) / 1000),
                count("rounds", source.roundCount), count("failures", source.failureCount),
                count("calls", source.callCount),
            ]
        }
    }
}
