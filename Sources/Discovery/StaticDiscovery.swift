/// `DISCOVERY_METHOD=static`: the list in `SEED_NODES`. Names are resolved by whoever connects,
/// each time anew, so that a name that can't be resolved costs nothing but itself.
package struct StaticDiscovery: DiscoveryPlugin {
    private let seeds: [String]

    package init(seeds: [String]) { self.seeds = seeds }

    package func candidates() async throws(DiscoveryError) -> [String] { seeds }
}
