import Cloud
import Core

/// `gcp`: the project's instances in all zones that carry the cluster's label.
package struct GCPDiscovery: DiscoveryPlugin {
    private let clients: CloudClients
    private let cluster: String
    private let port: Int

    /// - Parameters:
    ///   - cluster: `CLUSTER_NAME`, the value of `dst-cluster`.
    ///   - port: `DISCOVERY_PORT`.
    package init(clients: CloudClients, cluster: String, port: Int) {
        self.clients = clients
        self.cluster = cluster
        self.port = port
    }

    package var name: String { "gcp" }
    package var price: DiscoveryPrice { .calls }
    package var callCount: Int { clients.shell.callCount }

    package func find() async throws(DiscoveryError) -> Discovered {
        try await CloudPeers.find(.gcp, clients, cluster: cluster, port: port, source: name)
    }
}
