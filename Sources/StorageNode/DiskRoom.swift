import ChunkStore
import Core

/// Whether the disk holds what `CAPACITY_GB` promises to the cluster.
enum DiskRoom {
    /// - Throws: ``TooLittleRoom`` for a new node that could take no chunk. One that has chunks
    ///   goes on, however full: it serves them.
    static func check(_ usage: ChunkStoreUsage, path: String) throws(TooLittleRoom) {
        guard usage.chunkCount == 0, usage.freeBytes < StorageNodeLimits.freeBytesMin else {
            return
        }
        throw TooLittleRoom(
            path: path, freeBytes: usage.freeBytes, capacityBytes: usage.capacityBytes)
    }

    /// What an operator should know. The cluster gives a node its share by its capacity: one whose
    /// disk is smaller is full early, and the others take more than was planned.
    static func problem(_ usage: ChunkStoreUsage) -> String? {
        let room = usage.usedBytes + usage.freeBytes
        guard room < usage.capacityBytes / 10 * 9 else { return nil }
        return "CAPACITY_GB is \(ByteSize.format(usage.capacityBytes)), but the disk has room for "
            + "\(ByteSize.format(room)) of it: make room, or set less"
    }
}

/// A new storage node has no room for even a few chunks. The process refuses to start.
package struct TooLittleRoom: Error, Equatable, CustomStringConvertible {
    package let path: String
    package let freeBytes: Int
    package let capacityBytes: Int

    package var description: String {
        "the disk of \(path) has space for \(ByteSize.format(freeBytes)) of chunks, too little to "
            + "begin with (CAPACITY_GB is \(ByteSize.format(capacityBytes))): make room, give a "
            + "larger disk, or set a CAPACITY_GB that the disk holds"
    }
}
