import Core
import Synchronization

/// Where nodes are, for the connections that are made next. Filled by whoever learns an address.
package final class AddressBook: Sendable {
    private let addresses = Mutex<[NodeID: String]>([:])

    package init() {}

    package func address(of node: NodeID) -> String? { addresses.withLock { $0[node] } }

    package func set(_ address: String, of node: NodeID) {
        addresses.withLock { $0[node] = address }
    }

    package func set(_ nodes: some Sequence<ClusterState.Node>) {
        addresses.withLock { addresses in
            for node in nodes { addresses[node.id] = node.address }
        }
    }
}
