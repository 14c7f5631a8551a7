import Cloud
import Core
import Foundation
import Logging
import Synchronization

/// Where coordinators may be: what all sources found last, kept on disk, so that a node comes back
/// although they are silent.
///
/// Whoever looks for coordinators asks as often as it likes; each source is asked when its
/// ``DiscoverySchedule`` says so. The file is a JSON list of `host:port`. It is advice: one that is
/// missing or damaged is empty.
package final class Candidates: Sendable {
    /// Addresses that are kept and tried, at most.
    package static let countMax = DiscoveryLimits.candidatesMax

    private struct State {
        var sources: [CandidateSource]
        /// As read from the disk or written to it.
        var kept: [String]
    }

    private let plugins: [any DiscoveryPlugin]
    private let path: String
    private let logger: Logger
    private let clocks: any Clocks
    private let chance: @Sendable () -> Double
    private let state: Mutex<State>

    /// - Parameters:
    ///   - plugins: ``DiscoveryLimits/sourcesMax`` at most.
    ///   - path: The file; its directory exists.
    ///   - chance: From 0 up to 1.
    package init(
        plugins: [any DiscoveryPlugin], path: String, logger: Logger,
        clocks: any Clocks = SystemClocks(),
        chance: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        precondition(plugins.count <= DiscoveryLimits.sourcesMax)
        self.plugins = plugins
        self.path = path
        self.logger = logger
        self.clocks = clocks
        self.chance = chance
        state = Mutex(
            State(
                sources: plugins.map { CandidateSource(name: $0.name, price: $0.price) },
                kept: Self.read(path)))
    }

    /// Asks the sources that are due, all at once, and answers with what all of them found last.
    /// Sources that somebody else is just asking are not waited for.
    package func find() async -> [String] { await find(isAwaited: true) }

    private func find(isAwaited: Bool) async -> [String] {
        let now = clocks.monotonic
        let due = state.withLock { state in
            state.sources.indices.filter {
                state.sources[$0].begin(now, isAwaited: isAwaited)
            }
        }
        await withDiscardingTaskGroup { group in
            for index in due { group.addTask { await self.ask(index) } }
        }
        let (found, isNew) = state.withLock { Self.update(&$0) }
        if isNew { keep(found) }
        return found
    }

    /// Keeps the list fresh while nobody looks for coordinators, and the report with it. Goes on
    /// until cancelled.
    package func run() async {
        while !Task.isCancelled {
            let pause = DiscoveryLimits.settledPause * (1 + DiscoveryLimits.jitter * chance())
            // Cancelled is the only way for it to fail.
            guard (try? await Task.sleep(for: pause)) != nil else { return }
            _ = await find(isAwaited: false)
        }
    }

    private func ask(_ index: Int) async {
        let outcome = await CombinedDiscovery.ask(plugins[index])
        let (now, wall, chance) = (clocks.monotonic, clocks.wall, chance())
        let events = state.withLock { state in
            state.sources[index].end(outcome, now: now, wall: wall, chance: chance)
        }
        for event in events { log(event, outcome.name) }
    }

    /// The list on disk stands in for sources that have not answered since the start.
    private static func update(_ state: inout State) -> (found: [String], isNew: Bool) {
        var found = Set(state.sources.flatMap(\.candidates))
        if !state.sources.allSatisfy(\.hasAnswered) { found.formUnion(state.kept) }
        let list = Array(found.sorted().prefix(countMax))
        let isNew = list != state.kept
        state.kept = list
        return (list, isNew)
    }

    private func log(_ event: CandidateSource.Event, _ source: String) {
        switch event {
        case .failed(let reason):
            logger.warning(
                "discovery failed; going on with the last candidates",
                metadata: ["source": "\(source)", "error": "\(reason)"])
        case .recovered: logger.info("discovery works again", metadata: ["source": "\(source)"])
        case .nobody(let leftOut):
            let seen = leftOut.prefix(3).map { "\($0.what): \($0.reason)" }
            logger.warning(
                "discovery finds nobody",
                metadata: [
                    "source": "\(source)", "left.out": "\(seen.joined(separator: "; "))",
                ])
        case .found(let count, let isPartial):
            logger.info(
                "discovery found peers",
                metadata: [
                    "source": "\(source)", "count": "\(count)", "partial": "\(isPartial)",
                ])
        }
    }

    /// What every source said last.
    package var report: DiscoveryReport {
        DiscoveryReport(sources: state.withLock { $0.sources.map(\.report) })
    }

    private func keep(_ found: [String]) {
        do {
            try DurableFile.replace(path, with: Array(try JSONEncoder().encode(found)))
        } catch {
            // The next start asks the sources anyway.
            logger.warning("candidates not kept", metadata: ["error": "\(error)"])
        }
    }

    private static func read(_ path: String) -> [String] {
        guard let bytes = try? Data(contentsOf: URL(fileURLWithPath: path)),
            let found = try? JSONDecoder().decode([String].self, from: bytes)
        else { return [] }
        return Array(found.prefix(countMax))
    }
}
