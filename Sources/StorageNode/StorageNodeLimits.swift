import ChunkStore
import Core
import NIOCore

/// Every bound of this module, and how they relate.
package enum StorageNodeLimits {
    /// Blocks read and sent at once: one megabyte or so.
    static let blocksPerPiece = 16
    /// Blocks answered straight from memory on the event loop.
    static let blocksOnLoopMax = 4
    /// Chunks copied here at once, for all moves together; each is in memory a piece at a time.
    static let copiesAtOnce = 8
    package static let chunksPerPull = 100
    /// Chunks that a move wrote or read back and need not read again: two generations of so many,
    /// for so long each.
    static let readBackCountMax = 65_536
    static let readBackMilliseconds: UInt64 = 300_000
    /// Chunks named in the answer to a pull that could not get them.
    static let failedNamesMax = 100
    /// How long a writer's newer map may take to arrive here.
    static let mapWait = Duration.seconds(1)
    /// How long a list waits for its epoch, and for older writes to end.
    static let fenceWait = Duration.seconds(5)
    static let copyDeadline = TimeAmount.seconds(60)
    static let listDeadline = TimeAmount.seconds(15)
    static let maintenancePause = Duration.seconds(1)
    /// Between rounds over the copies that were found corrupt.
    static let corruptPause = Duration.seconds(5)
    static let strayPause = Duration.seconds(10)
    /// Strays that a holder is asked to read at once: at most 128 MiB within ``copyDeadline``.
    static let straysPerOffer = 16
    /// Chunks that a sweep asks about at once, and the pause after each question: 2,000 a second,
    /// so that the ranges' leaders hardly notice.
    package static let sweepBatch = 1_000
    static let sweepBatchPause = Duration.milliseconds(500)
    /// Partitions listed in one go by a sweep, and the pause after them.
    static let sweepPartitions = 16
    static let sweepPartitionsPause = Duration.milliseconds(10)
    /// Between two sweeps of a node: a quarter of SWEEP_AGE within these.
    static let sweepPauseMin = Duration.seconds(1)
    static let sweepPauseMax = Duration.seconds(6 * 3600)
    static let sweepDeadline = TimeAmount.seconds(15)
    /// Writes under way that a graceful stop waits for.
    static let stopWait = Duration.seconds(10)
    /// A node with less room than this takes no new chunks.
    static let freeBytesMin = 64 << 20

    /// Run once at start-up and once in a test.
    package static func check() {
        precondition(blocksOnLoopMax <= blocksPerPiece, "a small read is one piece")
        precondition(
            freeBytesMin >= 2 * Limits.sealedChunkBytesMax, "what has room takes a whole chunk")
        precondition(
            sweepBatch <= min(ChunkStoreLimits.deleteCountMax, ChunkStoreLimits.listCountMax),
            "a batch of a sweep is listed and deleted at once")
        precondition(sweepPauseMin <= sweepPauseMax, "sweeps have a pause")
        precondition(straysPerOffer <= chunksPerPull, "an offer is one pull")
        precondition(chunksPerPull <= ChunkStoreLimits.deleteCountMax, "pulls are small")
    }
}
