import Core
import Logging
import Messages
import NIOCore
import Wire

/// Finds the cluster that a storage node or gateway belongs to: asks the coordinators that
/// discovery finds until one belongs to a cluster.
package struct ClusterFinder: Sendable {
    private let pool: WirePool
    private let addresses: AddressBook
    private let clocks: any Clocks
    private let logger: Logger
    private let seeds: @Sendable () async -> [String]
    private let waits: @Sendable (String) -> Void

    /// - Parameter waits: Told, at each change, why there is no cluster yet.
    package init(
        pool: WirePool, addresses: AddressBook, clocks: any Clocks, logger: Logger,
        seeds: @escaping @Sendable () async -> [String],
        waits: @escaping @Sendable (String) -> Void
    ) {
        self.pool = pool
        self.addresses = addresses
        self.clocks = clocks
        self.logger = logger
        self.seeds = seeds
        self.waits = waits
    }

    /// - Throws: `CancellationError`.
    package func findCluster() async throws -> ClusterID {
        var lastReason = ""
        while true {
            try Task.checkCancellation()
            let (cluster, reason) = await ask(await seeds())
            if let cluster { return cluster }
            if reason != lastReason {
                let text = "waiting for a cluster to join: \(reason)"
                logger.info("\(text)")
                waits(text)
                lastReason = reason
            }
            try await clocks.sleep(for: .milliseconds(250))
        }
    }

    private func ask(_ seeds: [String]) async -> (ClusterID?, String) {
        if seeds.isEmpty {
            return (nil, "discovery finds no coordinator; `dstnode discover` shows why")
        }
        return await withTaskGroup(of: (ClusterID?, String).self) { group in
            for address in seeds { group.addTask { await ask(address) } }
            var reasons: [String] = []
            for await (cluster, reason) in group {
                if let cluster {
                    group.cancelAll()
                    return (cluster, "")
                }
                reasons.append(reason)
            }
            return (nil, reasons.sorted().joined(separator: "; "))
        }
    }

    private func ask(_ address: String) async -> (ClusterID?, String) {
        do {
            let answer = try await pool.call(
                .formationProbe, address: address, ProtoProbeRequest(),
                deadline: pool.now + ClusterViewLimits.watchDeadline, as: ProtoProbeReply.self)
            guard answer.peer.role == .coordinator else {
                return (nil, "\(address) is a \(answer.peer.role.rawValue), not a coordinator")
            }
            addresses.set(address, of: answer.peer.node)
            guard answer.reply.phase == .formed,
                let cluster = ClusterID(bytes: answer.reply.proposal.cluster)
            else { return (nil, "coordinator \(address) is not in a cluster yet") }
            return (cluster, "")
        } catch {
            return (nil, "\(address): \(error)")
        }
    }
}
