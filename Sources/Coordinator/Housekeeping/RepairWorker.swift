import ClusterView
import Core
import Logging
import Messages
import NIOCore
import Wire

/// Makes good the copies that a write could not place: of the ranges that this node leads, each row
/// of the repair queue names a chunk and the node that lacks it.
///
/// A row leaves the queue only when the copies are where the newest map wants them.
struct RepairWorker: Sendable {
    let consensus: any Consensus
    let mirror: SystemMirror
    let pool: WirePool
    let clocks: any Clocks
    let logger: Logger

    static let pullDeadline = TimeAmount.seconds(60)

    private var newest: NewestMap {
        NewestMap(consensus: consensus, mirror: mirror, pool: pool, clocks: clocks)
    }

    private struct Job: Sendable {
        let row: UInt64
        let chunk: ChunkID
        let node: NodeID
    }

    /// - Returns: Rows that left the queue.
    func round(_ range: RangeID) async throws -> Int {
        let query = ProtoRangeQuery.with {
            $0.listRepairs.limit = UInt32(CoordinatorLimits.repairRowsPerRound)
        }
        guard let rows = try await consensus.ask(range, query)?.repairs.rows else { return 0 }
        let jobs = rows.compactMap { row -> Job? in
            guard let chunk = ChunkID(bytes: row.chunk), let node = NodeID(bytes: row.node) else {
                return nil
            }
            return Job(row: row.row, chunk: chunk, node: node)
        }
        guard !jobs.isEmpty else { return 0 }
        let before = mirror.state
        let good = await withTaskGroup(of: [Job].self) { group in
            for (node, jobs) in Dictionary(grouping: jobs, by: \.node) {
                group.addTask { await repair(jobs, of: node, by: before) }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        guard !good.isEmpty else { return 0 }
        let after = try await newest.state(since: before)
        let done = good.filter { before[$0.chunk.partition] == after[$0.chunk.partition] }
            .map(\.row)
        guard !done.isEmpty else { return 0 }
        let result = await SystemProposal.propose(range, consensus, clocks, logger) {
            $0.repairDone.rows = done
        }
        return result == nil ? 0 : done.count
    }

    /// - Returns: Those whose copies are where the map wants them.
    private func repair(_ jobs: [Job], of node: NodeID, by map: ClusterState) async -> [Job] {
        var good: [Job] = []
        for job in jobs {
            let place = map[job.chunk.partition]
            // While it moves, the mover copies what is there; then it is looked at again.
            guard place.next.isEmpty, !place.nodes.isEmpty else { continue }
            // A writer by an old map names a node that is no holder any more, and knows nothing of
            // the one that took its place.
            let isHolder = place.nodes.contains(node)
            if !isHolder, Mutation.isOn(.repairForgetsMoved) {
                good.append(job)
                continue
            }
            do {
                var isGood = true
                for holder in isHolder ? [node] : place.nodes where isGood {
                    isGood = try await pull(job.chunk, to: holder, by: place)
                }
                if isGood { good.append(job) }
            } catch {
                if Mutation.isOn(.repairForgetsFailure) { good.append(job) }
                logger.debug(
                    "a missing copy could not be made yet",
                    metadata: [
                        "chunk": "\(job.chunk)", "node": "\(node)", "error": "\(error)",
                    ])
                return good
            }
        }
        return good
    }

    /// - Returns: Whether the node has a good copy now, or the chunk is deleted.
    /// - Throws: Where the node does not answer.
    private func pull(
        _ chunk: ChunkID, to node: NodeID, by place: ClusterState.Partition
    ) async throws -> Bool {
        let request = ProtoPullChunksRequest.with {
            $0.chunks = [chunk.data]
            $0.sources = place.nodes.filter { $0 != node }.map(\.data)
        }
        let reply = try await pool.call(
            .chunkPull, to: node, request, deadline: pool.now + Self.pullDeadline,
            as: ProtoPullChunksReply.self)
        return reply.status == .done && reply.failed.isEmpty || reply.status == .deleted
    }
}
