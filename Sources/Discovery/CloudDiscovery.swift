import Cloud
import Core

/// `cloud`: the plugin of the cloud that this machine runs on, which is found out once.
package struct CloudDiscovery: DiscoveryPlugin {
    private let clients: CloudClients
    private let cluster: String
    private let port: Int

    package init(clients: CloudClients, cluster: String, port: Int) {
        self.clients = clients
        self.cluster = cluster
        self.port = port
    }

    package var name: String { "cloud" }
    package var price: DiscoveryPrice { .calls }
    package var callCount: Int { clients.shell.callCount }

    /// What is found names its cloud as the source.
    package func find() async throws(DiscoveryError) -> Discovered {
        let cloud: Cloud
        do throws(CloudError) {
            cloud = try await clients.detect()
        } catch {
            throw .cloud(error)
        }
        return try await CloudPeers.find(
            cloud, clients, cluster: cluster, port: port, source: cloud.rawValue)
    }
}
