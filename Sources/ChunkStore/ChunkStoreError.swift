import Core

/// Operating errors of the chunk store: expected, handled by the caller, never a crash.
package enum ChunkStoreError: Error, Equatable {
    /// The chunk is not on this node. The caller tries the next replica.
    case notFound(ChunkID)
    /// A tombstone stands in the way: the chunk was deleted and can't come back.
    case deleted(ChunkID)
    /// A stored block does not match its checksum. The caller reads and repairs from a replica.
    case corrupt(ChunkID)
    /// No room, by capacity or by the disk. The caller picks another node.
    case full
    /// The write breaks a limit or its own announcement. A defect of the caller.
    case invalid(ChunkID, String)
    /// Too much waits already. The caller answers `SlowDown`.
    case overloaded
    /// The store is closed or closing.
    case closed
    /// The disk failed once, so nothing is acknowledged any more. The node is to be replaced.
    case diskFailed(String)
    /// The directory can't be used: another version, another store, no right to write.
    case unusable(String)
}
