import Core

/// Limits of the operations on objects, and how they relate. Times in milliseconds.
package enum ObjectStoreLimits {
    /// Sealed blocks that one fetch brings into memory: at most, and while memory is scarce.
    package static let fetchBlocksMax = 16
    package static let fetchBlocksLean = 4
    /// Sealed blocks that are filled, sealed and sent as one piece.
    package static let sendBlocksMax = 4
    /// Pieces of one upload that are kept for reuse.
    package static let sendBuffersMax = 4
    /// Sealed bytes of a chunk kept so that it can be sent again to another partition.
    package static let keptBytesMax = 1 << 20
    /// Partitions that one chunk is sent to before the client is told to slow down.
    package static let chunkAttemptsMax = 4
    /// Rounds over all copies of a chunk before a read gives up, and the pause between them.
    package static let readRoundsMax = 3
    package static let readRoundPause: UInt64 = 200
    /// Random partitions looked at before all are.
    package static let partitionDrawsMax = 64
    /// Times that new metadata is tried for an object that changes meanwhile.
    package static let headAttemptsMax = 8
    /// Keys in one deleteMany; entries in one page of a list.
    package static let pageEntriesMax = 1000
    /// Parts in one look-up of a multipart body.
    package static let readPartsMax = 100
    /// Chunks that one node is told to forget in one message.
    package static let discardedMax = 1000
    package static let bucketPageMax = 10_000

    /// What the stragglers get once a write quorum has acknowledged.
    package static let writeGrace: UInt64 = 2_000
    /// A copy whose window stays closed so long while a quorum goes on is given up.
    package static let writeStall: UInt64 = 3_000
    /// No progress on any copy.
    package static let writeStallAll: UInt64 = 30_000
    /// From the last byte to the acknowledgement.
    package static let writeAnswer: UInt64 = 10_000
    /// One chunk in all, a slow client's sending included: 1.2 KB/s in the shortest chunks.
    package static let chunkWrite: UInt64 = 15 * 60_000
    /// What a chunk should take: of a slow client's body, shorter ones are made, down to this.
    package static let chunkWriteWanted: UInt64 = 60_000
    package static let chunkBytesMin = 1 << 20
    /// One fetch from one copy.
    package static let fetch: UInt64 = 4_000
    /// One command or question, retries by the door included.
    package static let catalogue: UInt64 = 10_000
    /// A node that failed to answer is left aside so long, where there are others.
    package static let avoidance: UInt64 = 3_000
    /// How often stalled writes are looked for.
    package static let watch: UInt64 = 100

    /// Bytes that all operations of one gateway may hold at once; more are refused by SlowDown.
    package static let memoryBytesMax = 192 << 20
    /// What one stream is counted as: see the module's page.
    package static let putStreamBytes = 3 << 20
    package static let getStreamBytes = 3 << 20
    package static let getStreamBytesLean = 1 << 20
    package static let smallStreamBytesMin = 64 << 10

    package static func check() {
        precondition(fetchBlocksLean >= 1 && fetchBlocksLean <= fetchBlocksMax)
        precondition(
            Limits.chunkBytesMax % (fetchBlocksMax * Limits.blockBytes) == 0,
            "fetches divide a chunk")
        precondition(
            Limits.chunkBytesMax % (sendBlocksMax * Limits.blockBytes) == 0,
            "pieces divide a chunk")
        precondition(
            sendBlocksMax * Limits.sealedBlockBytes <= keptBytesMax,
            "the first piece of a chunk can be sent again")
        precondition(
            chunkBytesMin >= sendBlocksMax * Limits.blockBytes
                && Limits.chunkBytesMax % chunkBytesMin == 0, "a chunk holds its first piece")
        precondition(chunkWriteWanted * 10 <= chunkWrite, "a client may slow down meanwhile")
        precondition(writeGrace < writeStall && writeStall < writeAnswer)
        precondition(memoryBytesMax >= 32 * max(putStreamBytes, getStreamBytes))
    }
}
