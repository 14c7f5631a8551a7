import Core

/// `static`: the list in `SEED_NODES`. Names are resolved by whoever connects, each time anew, so
/// that a name that can't be resolved costs nothing but itself.
package struct StaticDiscovery: DiscoveryPlugin {
    private let seeds: [HostPort]

    package init(seeds: [HostPort]) { self.seeds = seeds }

    package var name: String { "static" }
    package var price: DiscoveryPrice { .nothing }

    package func find() async throws(DiscoveryError) -> Discovered {
        var found = Discovered()
        found.peers = seeds.map { Peer(address: $0, source: name) }
        return found
    }
}
