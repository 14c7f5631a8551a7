/// What the store did since it was opened.
package struct ChunkStoreCounters: Sendable, Equatable {
    package var chunksWritten: UInt64 = 0
    package var bytesWritten: UInt64 = 0
    /// Writes that found the chunk there already.
    package var chunksKnown: UInt64 = 0
    /// Groups of writes committed together, and the fdatasync calls that took.
    package var commitGroups: UInt64 = 0
    package var segmentSyncs: UInt64 = 0
    package var chunksDeleted: UInt64 = 0
    package var chunksDropped: UInt64 = 0
    package var deleteGroups: UInt64 = 0
    package var tombstoneSyncs: UInt64 = 0
    package var extentsPunched: UInt64 = 0
    package var punchFailures: UInt64 = 0
    /// Old tombstone files that could not be removed.
    package var expiryFailures: UInt64 = 0
    package var segmentsCreated: UInt64 = 0
    package var segmentsRemoved: UInt64 = 0
    package var chunksOpened: UInt64 = 0
    package var bytesRead: UInt64 = 0
    /// Look-ups of locations that had to ask SQLite.
    package var indexLookups: UInt64 = 0
    package var indexWrites: UInt64 = 0
    package var corruptBlocks: UInt64 = 0
    /// What opening found: extents looked at, half-written ones given up, tombstones applied,
    /// chunks whose segment is gone or that were corrupt as the index was made anew, damaged
    /// records of tombstones.
    package var recoveredExtents: UInt64 = 0
    package var tornExtents: UInt64 = 0
    package var recoveredTombstones: UInt64 = 0
    package var lostChunks: UInt64 = 0
    package var damagedTombstones: UInt64 = 0
    package var indexRebuilds: UInt64 = 0
    package init() {}
}

/// Room by the store's own account.
package struct ChunkStoreUsage: Sendable, Equatable {
    package let chunkCount: Int
    /// Bytes of extents that hold chunks.
    package let usedBytes: Int
    /// What new chunks may still take; 0 means full.
    package let freeBytes: Int
    package let capacityBytes: Int
    package let segmentCount: Int
}
