import ChunkStore
import ClusterView
import Core
import Logging
import Messages
import NIOCore
import Synchronization

/// Removes this node's copies of chunks that no catalogue names: left by gateways that died between
/// writing and naming them, by commits that nobody knows the outcome of, by discards that did not
/// get through. Slow, and one batch in memory at a time.
///
/// A chunk goes only if the leader of every range has said that nothing there names it, and that
/// nothing will: see decision 7. Each holder of a chunk finds out by itself; tombstones keep a copy
/// from being made again meanwhile.
struct ChunkSweep: Sendable {
    let store: ChunkStore
    let questions: any SweepAsking
    let map: @Sendable () -> ClusterState
    let pause: Duration
    let swept: SweepCounters
    let clocks: any Clocks
    let logger: Logger

    static func pause(age: Duration) -> Duration {
        min(max(age / 4, StorageNodeLimits.sweepPauseMin), StorageNodeLimits.sweepPauseMax)
    }

    /// Goes on until cancelled.
    func run() async throws {
        while !Task.isCancelled {
            // Not all nodes at once.
            var random = Randomness.system
            let jitter = Double.random(in: 0.75...1.25, using: &random)
            try await clocks.sleep(for: pause * jitter)
            do {
                try await round()
            } catch let error as CancellationError {
                throw error
            } catch {
                logger.info(
                    "the sweep of chunks that nothing names goes on later",
                    metadata: ["reason": "\(error)"])
            }
        }
    }

    /// Looks at all chunks here once.
    func round() async throws {
        let ranges = map().ranges.map(\.range)
        guard !ranges.isEmpty else { return }
        var fence = UInt32.max
        for range in ranges {
            fence = min(fence, try await questions.unnamed([], in: range).fence)
        }
        var batch: [ChunkID] = []
        let store = self.store
        let partitions = try await store.onReadThread { () throws(ChunkStoreError) in
            try store.partitions()
        }.get()
        for (number, partition) in partitions.enumerated() {
            var after: ChunkID?
            repeat {
                let page = try await page(partition, after: after, bornBefore: fence)
                after = page.next
                batch += page.chunks
                if batch.count >= StorageNodeLimits.sweepBatch {
                    let due = Array(batch.prefix(StorageNodeLimits.sweepBatch))
                    batch.removeFirst(due.count)
                    try await sweep(due, asking: ranges)
                    try await clocks.sleep(for: StorageNodeLimits.sweepBatchPause)
                }
            } while after != nil
            if number % StorageNodeLimits.sweepPartitions == 0 {
                try await clocks.sleep(for: StorageNodeLimits.sweepPartitionsPause)
            }
        }
        try await sweep(batch, asking: ranges)
    }

    /// Ids of a partition are in the order of their birth, so what is too young ends the walk.
    private func page(
        _ partition: PartitionID, after: ChunkID?, bornBefore fence: UInt32
    ) async throws -> (chunks: [ChunkID], next: ChunkID?) {
        let store = self.store
        let listed = try await store.onReadThread { () throws(ChunkStoreError) in
            try store.list(partition, after: after, limit: StorageNodeLimits.sweepBatch)
        }.get()
        let old = listed.chunks.prefix { $0.born < fence }
        let isMore = listed.isTruncated && old.count == listed.chunks.count
        return (Array(old), isMore ? old.last : nil)
    }

    private func sweep(_ chunks: [ChunkID], asking ranges: [RangeID]) async throws {
        var unnamed = chunks
        let asked = Mutation.isOn(.sweepAsksOneRange) ? ranges.prefix(1) : ranges[...]
        for range in asked where !unnamed.isEmpty {
            let answer = try await questions.unnamed(unnamed, in: range).chunks
            // An answer names no others; were it to, they are not for this node to remove.
            unnamed = unnamed.filter(Set(answer).contains)
        }
        guard !unnamed.isEmpty else { return }
        try await store.delete(unnamed)
        swept.add(unnamed.count)
        logger.notice(
            "chunks that nothing names were removed",
            metadata: ["count": "\(unnamed.count)", "first": "\(unnamed[0])"])
    }
}

/// The question to a range's leader.
protocol SweepAsking: Sendable {
    /// - Parameter chunks: At most ``StorageNodeLimits/sweepBatch``; none for the fence alone.
    /// - Returns: Those of them, born before the range's fence, that nothing in the range names and
    ///   nothing will.
    /// - Throws: Where there is no answer: nothing may be removed.
    func unnamed(
        _ chunks: [ChunkID], in range: RangeID
    ) async throws -> (chunks: [ChunkID], fence: UInt32)
}

struct SweepQuestions: SweepAsking {
    let client: CatalogueClient
    let clocks: any Clocks

    func unnamed(
        _ chunks: [ChunkID], in range: RangeID
    ) async throws -> (chunks: [ChunkID], fence: UInt32) {
        let request = ProtoSweepRequest.with {
            $0.range = range.rawValue
            $0.timeMs = clocks.wall.milliseconds
            $0.chunks = chunks.map(\.data)
        }
        let reply = try await client.sweep(
            request, deadline: client.now + StorageNodeLimits.sweepDeadline)
        return (reply.unnamed.compactMap { ChunkID(bytes: $0) }, reply.fenceS)
    }
}

final class SweepCounters: Sendable {
    private let count = Atomic<UInt64>(0)
    var chunks: UInt64 { count.load(ordering: .relaxed) }
    func add(_ chunks: Int) { count.wrappingAdd(UInt64(chunks), ordering: .relaxed) }
}
