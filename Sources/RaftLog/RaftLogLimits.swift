import Raft

/// Limits of the write-ahead log.
package enum RaftLogLimits {
    /// Size of a segment file; a segment is preallocated, so appending to it cannot fill the disk.
    package static let segmentBytes = 64 << 20
    /// A segment cannot be smaller; tests use small ones.
    package static let segmentBytesMin = 16 << 10
    /// A segment cannot be larger: positions in it are 32-bit.
    package static let segmentBytesMax = 1 << 30
    /// Items are collected into one record up to about here; one item may exceed it.
    package static let recordBytesTarget = 1 << 20
    /// The tail of a segment that entries leave free, so that marks, which free other segments, can
    /// be written when the disk has no room for another segment.
    package static let reserveBytes = 4 << 10
    /// Groups on one node; all their states fit the head of a segment.
    package static let groupCountMax = 64
    /// The greatest term and index that are believed.
    static let numberMax: UInt64 = 1 << 62
    /// Bytes read at once when a segment is scanned.
    static let scanBytes = 1 << 20

    /// Relations between limits. Run once at start-up and once in a test.
    package static func check() {
        precondition(segmentBytes >= segmentBytesMin, "the usual segment is allowed")
        precondition(segmentBytes <= segmentBytesMax, "the usual segment is allowed")
        precondition(segmentBytes % RecordHeader.alignment == 0, "records are aligned")
        precondition(
            itemBytesMax(segmentBytes: segmentBytes) >= RaftLimits.commandBytesMax + 64,
            "every command fits a segment")
        precondition(reserveBytes * 2 <= segmentBytesMin, "entries have room in any segment")
    }

    /// The largest item that a segment surely takes beside its head.
    package static func itemBytesMax(segmentBytes: Int) -> Int { segmentBytes / 4 }
}
