import Core
import Foundation
import Logging
import Synchronization

/// What discovery found last, kept on disk: a node comes back although the source is silent.
///
/// The file is a JSON list of `host:port`. It is advice: one that is missing or damaged is empty.
package final class Candidates: Sendable {
    /// Addresses that are kept and tried, at most.
    package static let countMax = 256

    private let plugin: any DiscoveryPlugin
    private let path: String
    private let logger: Logger
    private let last: Mutex<[String]>

    /// - Parameter path: The file; its directory exists.
    package init(plugin: any DiscoveryPlugin, path: String, logger: Logger) {
        self.plugin = plugin
        self.path = path
        self.logger = logger
        last = Mutex(Self.read(path))
    }

    /// Asks the plugin; where that fails or finds nobody, answers what was found last.
    package func find() async -> [String] {
        do {
            let found = Array(Set(try await plugin.candidates()).sorted().prefix(Self.countMax))
            if !found.isEmpty { keep(found) }
        } catch {
            logger.warning(
                "discovery failed; going on with the last candidates",
                metadata: ["error": "\(error)"])
        }
        return last.withLock { $0 }
    }

    private func keep(_ found: [String]) {
        let isNew = last.withLock { last in
            defer { last = found }
            return last != found
        }
        guard isNew else { return }
        do {
            try DurableFile.replace(path, with: Array(try JSONEncoder().encode(found)))
        } catch {
            // The next start asks the plugin anyway.
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
