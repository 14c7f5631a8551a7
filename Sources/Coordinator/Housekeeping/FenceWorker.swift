import ClusterView
import Core
import Logging
import Messages
import NIOCore
import Wire

/// Finishes the deletion of buckets that a gateway began and did not end: a fenced bucket is
/// removed from the system range, then its fence is confirmed.
struct FenceWorker: Sendable {
    let consensus: any Consensus
    let client: CatalogueClient
    let clocks: any Clocks
    let logger: Logger

    /// - Returns: Fences confirmed.
    func round(_ range: RangeID) async throws -> Int {
        let query = ProtoRangeQuery.with {
            $0.listFences.limit = UInt32(CoordinatorLimits.fencesPerRound)
        }
        guard let buckets = try await consensus.ask(range, query)?.fences.buckets else { return 0 }
        var confirmed = 0
        for bucket in buckets {
            var random = Randomness.system
            let command = ProtoSystemCommand.with {
                $0.id = CommandID.random(using: &random).data
                $0.timeMs = clocks.wall.milliseconds
                $0.deleteBucket.id = bucket
            }
            let result: ProtoSystemResult = try await client.propose(
                command, to: .system, deadline: consensus.now + GarbageWorker.callDeadline)
            guard result.failure == .none || result.failure == .noSuchBucket else { continue }
            let answer = await SystemProposal.propose(range, consensus, clocks, logger) {
                $0.confirmFence.bucket = bucket
            }
            if answer != nil { confirmed += 1 }
        }
        return confirmed
    }
}
