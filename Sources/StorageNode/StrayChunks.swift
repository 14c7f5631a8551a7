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
        var waitingCount = 0
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
            guard awaySince.values.contains(where: { now - $0 >= graceMilliseconds }) else {
                continue
            }
            var left = 0
            for partition in try await occupied() {
                guard let since = awaySince[partition], now - since >= graceMilliseconds else {
                    continue
                }
                if await !clear(partition) { left += 1 }
            }
            if left != waitingCount { note(left) }
            waitingCount = left
        }
    }

    /// Partitions that have chunks here; none where the store can't say: it
    /// has failed then, and its node's status tells why.
    private func occupied() async throws -> [PartitionID] {
        let store = self.store
        let found = await store.onReadThread { () throws(ChunkStoreError) in
            try store.partitions()
        }
        try Task.checkCancellation()
        return (try? found.get()) ?? []
    }

    private func note(_ waitingCount: Int) {
        guard waitingCount > 0 else { return }
        logger.info(
            "chunks of partitions that moved away are still here: a holder has yet to read its own",
            metadata: ["partitions": "\(waitingCount)"])
    }

    private func isAway(_ partition: PartitionID, in map: ClusterState) -> Bool {
        let place = map[partition]
        let isHeld =
            Mutation.isOn(.strayDropsHeld) ? place.nodes.first == me : place.nodes.contains(me)
        return !place.nodes.isEmpty && place.next.isEmpty && !isHeld
    }

    /// - Returns: Whether nothing of the partition is left here.
    private func clear(_ partition: PartitionID) async -> Bool {
        let store = self.store
        let limit = StorageNodeLimits.straysPerOffer
        var after: ChunkID?
        repeat {
            let last = after
            let listed = await store.onReadThread { () throws(ChunkStoreError) in
                try store.list(partition, after: last, limit: limit)
            }
            guard case .success(let (chunks, isTruncated)) = listed else { return false }
            if !chunks.isEmpty {
                guard await drop(chunks, of: partition) else { return false }
            }
            after = isTruncated ? chunks.last : nil
        } while after != nil
        return true
    }

    /// - Returns: Whether they are gone; `false` where a holder lacks one of them.
    private func drop(_ chunks: [ChunkID], of partition: PartitionID) async -> Bool {
        // Each holder reads its copy, and fetches it from here if it is missing or bad: that a
        // chunk is listed there is no proof that it can be read.
        let map = gate.map
        guard isAway(partition, in: map) else { return false }
        for holder in map[partition].nodes where holder != me {
            guard await offer(chunks, to: holder) else { return false }
        }
        // The map must still say so: nothing is dropped by an older one.
        let newest = gate.map
        guard isAway(partition, in: newest), newest[partition].nodes == map[partition].nodes else {
            return false
        }
        do {
            try await store.drop(chunks)
            logger.debug(
                "chunks of a partition that moved away were dropped",
                metadata: ["partition": "\(partition)", "count": "\(chunks.count)"])
            return true
        } catch {
            logger.warning(
                "chunks of a partition that moved away could not be dropped",
                metadata: ["partition": "\(partition)", "error": "\(error)"])
            return false
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
