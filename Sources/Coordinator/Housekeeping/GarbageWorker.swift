import ClusterView
import Core
import Logging
import Messages
import NIOCore
import Wire

/// Removes the chunks that nobody names any more, so that space comes back: of the ranges that this
/// node leads, after the grace period that readers of an overwritten object have.
///
/// A row leaves the queue only when every holder of its chunks has said that they are gone, and the
/// partitions have not moved meanwhile: a node that is away, or one that was copying, is asked
/// again later.
struct GarbageWorker: Sendable {
    let consensus: any Consensus
    let mirror: SystemMirror
    let pool: WirePool
    let clocks: any Clocks
    let logger: Logger
    /// GARBAGE_GRACE.
    let graceMilliseconds: Int64

    static let callDeadline = TimeAmount.seconds(10)

    private var newest: NewestMap {
        NewestMap(consensus: consensus, mirror: mirror, pool: pool, clocks: clocks)
    }

    /// - Returns: Rows that left the queue.
    func round(_ range: RangeID) async throws -> Int {
        var after: UInt64 = 0
        var removed = 0
        for _ in 0..<CoordinatorLimits.garbagePagesPerRound {
            let query = ProtoRangeQuery.with {
                $0.listGarbage.olderThanMs = clocks.wall.milliseconds - graceMilliseconds
                $0.listGarbage.afterRow = after
                $0.listGarbage.limit = UInt32(CoordinatorLimits.garbageRowsPerPage)
            }
            guard let rows = try await ask(range, query)?.garbage.rows, let last = rows.last else {
                return removed
            }
            removed += try await remove(rows, of: range)
            after = last.row
        }
        return removed
    }

    private func remove(_ rows: [ProtoGarbageRow], of range: RangeID) async throws -> Int {
        let before = mirror.state
        var chunksByNode: [NodeID: [ChunkID]] = [:]
        for chunk in rows.flatMap(\.chunks).compactMap({ ChunkID(bytes: $0) }) {
            for node in holders(of: chunk.partition, in: before) {
                chunksByNode[node, default: []].append(chunk)
            }
        }
        let failed = await delete(chunksByNode)
        let after = try await newest.state(since: before)
        let done = rows.filter { row in
            row.chunks.compactMap { ChunkID(bytes: $0) }.allSatisfy { chunk in
                let now = holders(of: chunk.partition, in: after)
                return now == holders(of: chunk.partition, in: before)
                    && (now.isDisjoint(with: failed) || Mutation.isOn(.garbageForgetsAbsent))
            }
        }
        let whole = done.filter { $0.upload.isEmpty || $0.isLastBatch }.map(\.row)
        for row in done where !row.upload.isEmpty && !row.isLastBatch {
            _ = await SystemProposal.propose(range, consensus, clocks, logger) {
                $0.garbagePartsDone.row = row.row
                $0.garbagePartsDone.upToPart = row.upToPart
            }
        }
        guard !whole.isEmpty else { return 0 }
        let result = await SystemProposal.propose(range, consensus, clocks, logger) {
            $0.garbageDone.rows = whole
        }
        return result == nil ? 0 : whole.count
    }

    /// - Returns: Nodes that did not confirm all.
    private func delete(_ chunksByNode: [NodeID: [ChunkID]]) async -> Set<NodeID> {
        await withTaskGroup(of: NodeID?.self) { group in
            for (node, chunks) in chunksByNode {
                group.addTask { await delete(chunks, on: node) ? nil : node }
            }
            return await group.reduce(into: []) { if let node = $1 { $0.insert(node) } }
        }
    }

    private func delete(_ chunks: [ChunkID], on node: NodeID) async -> Bool {
        for start in stride(from: 0, to: chunks.count, by: CoordinatorLimits.chunksPerDelete) {
            let request = ProtoDeleteChunksRequest.with {
                $0.chunks = chunks[start...].prefix(CoordinatorLimits.chunksPerDelete).map(\.data)
            }
            do {
                let reply = try await pool.call(
                    .chunkDelete, to: node, request, deadline: pool.now + Self.callDeadline,
                    as: ProtoDeleteChunksReply.self)
                guard reply.status == .done else { return false }
            } catch {
                logger.debug(
                    "chunks could not be removed yet",
                    metadata: ["node": "\(node)", "error": "\(error)"])
                return false
            }
        }
        return true
    }

    private func holders(of partition: PartitionID, in state: ClusterState) -> Set<NodeID> {
        let place = state[partition]
        return Set(place.nodes + place.next).filter {
            let membership = state.nodes[$0]?.membership
            return membership == .member || membership == .draining
        }
    }

    private func ask(_ range: RangeID, _ query: ProtoRangeQuery) async throws -> ProtoRangeAnswer? {
        try await consensus.ask(range, query)
    }
}

extension Consensus {
    /// Asks a range that this node leads.
    ///
    /// - Returns: `nil` where it does not lead it any more, or has no answer.
    func ask(_ range: RangeID, _ query: ProtoRangeQuery) async throws -> ProtoRangeAnswer? {
        let outcome = await self.query(
            range, try query.serializedBytes(), deadline: now + GarbageWorker.callDeadline)
        guard case .done(let bytes) = outcome else { return nil }
        return try ProtoRangeAnswer(serializedBytes: bytes)
    }
}
