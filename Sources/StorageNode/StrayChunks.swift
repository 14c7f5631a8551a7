import ChunkStore
import ClusterView
import Core
import Logging
import Messages
import NIOCore
import Wire

/// Drops what is left here of partitions that have moved away: last, and only what every present
/// holder has read back whole. A node that comes back after a long time may hold the only copy of
/// a chunk: then the holders fetch it from here first.
struct StrayChunks: Sendable {
    let me: NodeID
    let store: ChunkStore
    let gate: WriteGate
    let pool: WirePool
    let clocks: any Clocks
    let logger: Logger
    /// How long a partition must have been away: readers may act by an older map.
    let graceMilliseconds: UInt64

    /// Goes on until cancelled.
    func run() async throws {
        var awaySince: [PartitionID: UInt64] = [:]
        var cursor = 0
        while !Task.isCancelled {
            try await clocks.sleep(for: StorageNodeLimits.strayPause)
            let map = gate.map
            guard map.revision > 0 else { continue }
            let now = clocks.monotonic.milliseconds
            for partition in PartitionID.all {
                if isAway(partition, in: map) {
                    awaySince[partition] = awaySince[partition] ?? now
                } else {
                    awaySince[partition] = nil
                }
            }
            let due = awaySince.filter { now - $0.value >= graceMilliseconds }.keys.sorted()
            guard !due.isEmpty else { continue }
            for offset in 0..<min(due.count, StorageNodeLimits.strayPartitionsPerRound) {
                await clear(due[(cursor + offset) % due.count], holders: map)
            }
            cursor = (cursor + StorageNodeLimits.strayPartitionsPerRound) % max(due.count, 1)
        }
    }

    private func isAway(_ partition: PartitionID, in map: ClusterState) -> Bool {
        let place = map[partition]
        let isHeld =
            Mutation.isOn(.strayDropsHeld) ? place.nodes.first == me : place.nodes.contains(me)
        return !place.nodes.isEmpty && place.next.isEmpty && !isHeld
    }

    private func clear(_ partition: PartitionID, holders map: ClusterState) async {
        let store = self.store
        let limit = StorageNodeLimits.straysPerOffer
        let listed = await store.onReadThread { () throws(ChunkStoreError) in
            try store.list(partition, limit: limit).chunks
        }
        guard case .success(let chunks) = listed, !chunks.isEmpty else { return }
        // Each holder reads its copy, and fetches it from here if it is missing or bad: that a
        // chunk is listed there is no proof that it can be read.
        for holder in map[partition].nodes where holder != me {
            guard await offer(chunks, to: holder) else { return }
        }
        // The map must still say so: nothing is dropped by an older one.
        guard isAway(partition, in: gate.map) else { return }
        do {
            try await store.drop(chunks)
            logger.debug(
                "chunks of a partition that moved away were dropped",
                metadata: ["partition": "\(partition)", "count": "\(chunks.count)"])
        } catch {
            logger.warning(
                "chunks of a partition that moved away could not be dropped",
                metadata: ["partition": "\(partition)", "error": "\(error)"])
        }
    }

    /// - Returns: Whether the holder now has them all, or knows them to be deleted.
    private func offer(_ chunks: [ChunkID], to holder: NodeID) async -> Bool {
        let request = ProtoPullChunksRequest.with {
            $0.chunks = chunks.map(\.data)
            $0.sources = [me.data]
        }
        do {
            let reply = try await pool.call(
                .chunkPull, to: holder, request,
                deadline: pool.now + StorageNodeLimits.copyDeadline,
                as: ProtoPullChunksReply.self)
            return reply.status == .done && reply.failed.isEmpty
        } catch {
            return false
        }
    }
}
