import Core

/// What every source said last, for status, metrics and people.
package struct DiscoveryReport: Sendable, Equatable {
    package struct Source: Sendable, Equatable {
        package var name: String
        /// When the last round ended; `nil`: none has.
        package var askedAt: WallTime?
        /// `nil`: the last round succeeded.
        package var error: String?
        /// Since when it has been failing.
        package var failingSince: WallTime?
        /// Of the last round that succeeded.
        package var peers: [Peer] = []
        package var leftOut: [LeftOut] = []
        package var isPartial = false
        package var roundCount = 0
        package var failureCount = 0
        /// Calls of an API.
        package var callCount = 0

        package init(name: String) { self.name = name }
    }

    package var sources: [Source]

    package init(sources: [Source]) { self.sources = sources }

    /// What somebody should look at, one line per source that fails.
    package var problems: [String] {
        sources.compactMap { source in source.error.map { "discovery \(source.name): \($0)" } }
    }
}

/// One source's answer in a round over all of them, for `dstnode discover`.
package struct DiscoveryOutcome: Sendable {
    package let name: String
    package let result: Result<Discovered, DiscoveryError>
    /// Calls of an API that a failed round has cost; what succeeded says it by itself.
    package let callCount: Int

    package init(name: String, result: Result<Discovered, DiscoveryError>, callCount: Int = 0) {
        self.name = name
        self.result = result
        self.callCount = callCount
    }
}

/// Several sources at once: each answers or fails for itself.
package enum CombinedDiscovery {
    package static func ask(_ plugins: [any DiscoveryPlugin]) async -> [DiscoveryOutcome] {
        await withTaskGroup(of: (Int, DiscoveryOutcome).self) { group in
            for (index, plugin) in plugins.enumerated() {
                group.addTask { (index, await ask(plugin)) }
            }
            var outcomes: [(Int, DiscoveryOutcome)] = []
            for await outcome in group { outcomes.append(outcome) }
            return outcomes.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }

    static func ask(_ plugin: any DiscoveryPlugin) async -> DiscoveryOutcome {
        let before = plugin.callCount
        do throws(DiscoveryError) {
            return DiscoveryOutcome(name: plugin.name, result: .success(try await plugin.find()))
        } catch {
            return DiscoveryOutcome(
                name: plugin.name, result: .failure(error), callCount: plugin.callCount - before)
        }
    }
}
