import Core

/// Every bound of the chunk store, and how they relate.
package enum ChunkStoreLimits {
    /// Extents start and end at multiples of this: what a hole can be punched into.
    package static let alignment = 4096
    /// The first page of a segment: its header.
    package static let segmentHeaderBytes = 4096
    /// Segments are a 256th of the capacity, within these bounds.
    package static let segmentBytesMin = 16 << 20
    package static let segmentBytesMax = 1 << 30
    /// Blocks of one chunk, at most.
    package static let blockCountMax =
        (Limits.sealedChunkBytesMax + Limits.sealedBlockBytes - 1) / Limits.sealedBlockBytes
    /// Header of an extent: fixed part, checksum table, owner record.
    package static let extentHeaderBytesMax =
        ExtentHeader.fixedBytes + 4 * blockCountMax + Limits.ownerRecordBytesMax
    package static let extentBytesMax =
        (extentHeaderBytesMax + Limits.sealedChunkBytesMax + alignment - 1) / alignment * alignment
    /// Chunks up to this size are written as one image, header and payload together, and live in
    /// segments of their own, so that a small commit never waits for the bytes of a large one.
    package static let smallBytesMax = 4 * Limits.sealedBlockBytes
    /// Images that wait for their commit: bytes of memory.
    static let waitingImageBytesMax = 64 << 20
    /// Images that go into one vectored write.
    static let piecesPerWriteMax = 64
    /// A large write goes to the disk in pieces of this size.
    static let writeWindowBytes = 1 << 20
    /// Windows of ended writes whose memory is kept for the next.
    static let writeWindowsKeptMax = 8
    /// Jobs that may wait for one thread.
    package static let jobCountMax = 4096
    package static let readThreadCount = 3
    package static let writeThreadCount = 2
    /// Changes that the index does not have yet: written to it from here on…
    static let recentCountFlush = 2048
    static let recentBytesFlush = 512 << 20
    /// …or when this old; writers wait above the maximum.
    static let recentAgeMilliseconds: UInt64 = 2_000
    static let recentCountMax = 65_536
    /// Locations kept in memory: two generations of this many.
    static let cachedLocationsPerGeneration = 32_768
    /// Open segment files.
    static let openFilesMax = 512
    /// Room left on the disk for the index and tombstones: a 50th of the capacity within these.
    static let reserveBytesMin = 8 << 20
    static let reserveBytesMax = 1 << 30
    /// Numbers of segments and tombstone files: given one by one, so that none comes near the end
    /// of its 32 bits. Others are no files of ours.
    static let fileNumbers: ClosedRange<UInt32> = 1...1 << 31
    /// One file of tombstones: a header and 64 bytes each.
    static let tombstoneFileBytes = 4 << 20
    /// Tombstones are kept this long: a node that was away for longer must not rejoin with its
    /// chunks unasked (it asks the catalogue instead).
    package static let tombstoneMilliseconds: Int64 = 30 * 24 * 3600 * 1000
    /// Ids in one delete.
    package static let deleteCountMax = 1_000
    /// Ids in one page of a list.
    package static let listCountMax = 10_000
    /// Holes that were punched and not synced: synced when so many or so old. A power loss within
    /// makes opening punch them again.
    static let unsyncedHolesMax = 16_384
    static let unsyncedHolesMilliseconds: UInt64 = 60_000
    /// Copies that wait for a record that names them: writers get `full` above that, since only a
    /// full disk keeps records from being written.
    static let staleCopiesMax = 65_536
    /// Extents that wait for their holes: deletes punch them themselves above that.
    static let buriedMax = 16_384
    /// Rows in one transaction of recovery, and extents that it frees at once.
    static let recoveryBatchCount = 4_096

    /// Relations between limits. Run once at start-up and once in a test.
    package static func check() {
        precondition(extentHeaderBytesMax <= alignment, "a header is read in one page")
        precondition(
            segmentBytesMin >= segmentHeaderBytes + extentBytesMax, "a segment holds any chunk")
        precondition(segmentBytesMin % alignment == 0, "segments are whole pages")
        precondition(writeWindowBytes % alignment == 0, "windows are whole pages")
        precondition(recentCountFlush < recentCountMax, "the index has time to follow")
        precondition(smallBytesMax * 16 <= waitingImageBytesMax, "a group is more than one")
        precondition(tombstoneFileBytes % TombstoneRecord.byteCount == 0, "whole tombstones")
        precondition(
            deleteCountMax * TombstoneRecord.byteCount
                <= tombstoneFileBytes - SegmentHeader.byteCount, "a delete fits one file")
        precondition(segmentBytesMax / alignment <= Int(UInt32.max), "places fit their field")
    }

    /// Size of new segments of a store of `capacity` bytes.
    static func segmentBytes(capacity: Int) -> Int {
        var bytes = segmentBytesMin
        while bytes < capacity / 256, bytes < segmentBytesMax { bytes *= 2 }
        return bytes
    }

    static func reserveBytes(capacity: Int) -> Int {
        min(max(capacity / 50, reserveBytesMin), reserveBytesMax)
    }
}
