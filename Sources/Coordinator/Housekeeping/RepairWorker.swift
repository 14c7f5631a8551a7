import ClusterView
import Core
import Logging
import Messages
import NIOCore
import Wire

/// Makes good the copies that a write could not place: of the ranges that this node leads, each row
/// of the repair queue names a chunk and the node that lacks it.
struct RepairWorker: Sendable {
    let consensus: any Consensus
    let mirror: SystemMirror
    let pool: WirePool
    let clocks: any Clocks
    let logger: Logger

    static let pullDeadline = TimeAmount.seconds(60)

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
        let done = await withTaskGroup(of: [UInt64].self) { group in
            for (node, jobs) in Dictionary(grouping: jobs, by: \.node) {
                group.addTask { await repair(jobs, on: node) }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        guard !done.isEmpty else { return 0 }
        let result = await SystemProposal.propose(range, consensus, clocks, logger) {
            $0.repairDone.rows = done
        }
        return result == nil ? 0 : done.count
    }

    /// - Returns: Rows that are settled.
    private func repair(_ jobs: [Job], on node: NodeID) async -> [UInt64] {
        var settled: [UInt64] = []
        for job in jobs {
            let place = mirror.state[job.chunk.partition]
            // The partition has moved away, or moves: the mover copies all that is there.
            guard place.nodes.contains(node), place.next.isEmpty else {
                if !place.next.contains(node), !place.nodes.contains(node) {
                    settled.append(job.row)
                }
                continue
            }
            let request = ProtoPullChunksRequest.with {
                $0.chunks = [job.chunk.data]
                $0.sources = place.nodes.filter { $0 != node }.map(\.data)
            }
            do {
                let reply = try await pool.call(
                    .chunkPull, to: node, request, deadline: pool.now + Self.pullDeadline,
                    as: ProtoPullChunksReply.self)
                // DELETED: the object is gone, and its chunk with it.
                if reply.status == .done && reply.failed.isEmpty || reply.status == .deleted {
                    settled.append(job.row)
                }
            } catch {
                if Mutation.isOn(.repairForgetsFailure) { settled.append(job.row) }
                logger.debug(
                    "a missing copy could not be made yet",
                    metadata: [
                        "chunk": "\(job.chunk)", "node": "\(node)", "error": "\(error)",
                    ])
                return settled
            }
        }
        return settled
    }
}
