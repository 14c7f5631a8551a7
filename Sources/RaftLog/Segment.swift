import Core

/// One file of the log.
struct Segment {
    let number: UInt32
    let file: any LogFile
    /// Random, in every record of the file.
    let salt: UInt64
    /// Where the last record ends.
    var end: Int

    static func name(_ number: UInt32) -> String {
        "raft-" + Hex.encode(number.bigEndianBytes) + ".log"
    }

    /// - Returns: `nil` for files that are not segments.
    static func number(ofName name: String) -> UInt32? {
        guard name.count == 17, name.hasPrefix("raft-"), name.hasSuffix(".log") else { return nil }
        guard let number = UInt32(name.dropFirst(5).dropLast(4), radix: 16) else { return nil }
        return Segment.name(number) == name ? number : nil
    }
}

/// The payload of a segment's first record, in front of its items (hard state and mark of each
/// group, so that older segments are not needed for them). Little-endian.
///
/// | offset | bytes | field          |                                       |
/// |-------:|------:|----------------|---------------------------------------|
/// |      0 |     4 | number         | as in the file's name                 |
/// |      4 |     4 | end before     | where the segment before ends; 0 for the first |
struct SegmentHead: Hashable {
    static let byteCount = 8
    var number: UInt32
    var endBefore: UInt32
}

/// Reads a segment in order through a window.
struct SegmentReader {
    let file: any LogFile
    let fileBytes: Int
    private var window: [UInt8] = []
    private var windowStart = 0

    init(_ file: any LogFile) throws(DiskError) {
        self.file = file
        self.fileBytes = try file.size()
    }

    /// Makes the window hold at least `count` bytes from `offset`, if the file has them.
    ///
    /// - Returns: where in ``bytes`` the offset is.
    private mutating func load(_ offset: Int, count: Int) throws(DiskError) -> Int {
        let end = min(offset + count, fileBytes)
        if offset < windowStart || end > windowStart + window.count {
            let windowEnd = min(max(end, offset + RaftLogLimits.scanBytes), fileBytes)
            window = try file.read(offset..<max(windowEnd, offset))
            windowStart = offset
        }
        return offset - windowStart
    }

    /// A record read and verified.
    struct Record {
        var header: RecordHeader
        /// The whole record.
        var bytes: [UInt8]
        var payload: Range<Int> {
            RecordHeader.byteCount..<RecordHeader.byteCount + Int(header.length)
        }
    }

    /// - Returns: `nil` unless a whole record with a matching checksum begins at `offset`.
    mutating func record(at offset: Int, salt: UInt64?) throws(DiskError) -> Record? {
        let start = try load(offset, count: RecordHeader.byteCount)
        guard let header = RecordHeader(window, at: start),
            header.isPlausible(at: offset, salt: salt, fileBytes: fileBytes)
        else { return nil }
        let bodyStart = try load(offset, count: header.recordBytes)
        guard window.count - bodyStart >= header.recordBytes else { return nil }
        let bytes = Array(window[bodyStart..<bodyStart + header.recordBytes])
        guard RecordHeader.checksum(of: bytes, length: Int(header.length)) == header.checksum else {
            return nil
        }
        return Record(header: header, bytes: bytes)
    }

    /// Looks behind a bad record for a good one that proves the bad one to have been durable.
    ///
    /// - Returns: whether a record after `bad` was written when `bad` was already synced.
    mutating func wasDurable(_ bad: Int, salt: UInt64?) throws(DiskError) -> Bool {
        var offset = bad + RecordHeader.alignment
        while offset + RecordHeader.byteCount <= fileBytes {
            let start = try load(offset, count: RecordHeader.byteCount)
            let next = candidate(from: start)
            offset = windowStart + next.position
            guard next.isFound else { continue }
            if let record = try record(at: offset, salt: salt), Int(record.header.durable) > bad {
                return true
            }
            offset += RecordHeader.alignment
        }
        return false
    }

    /// The next place in the window, from `start`, that holds its own offset where a record does;
    /// where the search stopped if there is none.
    private func candidate(from start: Int) -> (position: Int, isFound: Bool) {
        window.withUnsafeBytes { bytes in
            var position = start
            while position + RecordHeader.byteCount <= bytes.count {
                let offset = bytes.loadUnaligned(fromByteOffset: position + 16, as: UInt32.self)
                if Int(UInt32(littleEndian: offset)) == windowStart + position {
                    return (position, true)
                }
                position += RecordHeader.alignment
            }
            return (position, false)
        }
    }
}
