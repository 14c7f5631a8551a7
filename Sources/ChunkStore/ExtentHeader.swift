import Core

/// What stands before the bytes of a chunk in its segment. Little-endian.
///
/// ```
/// extent (whole pages)
/// ├── fixed part ──┼─ checksums ─┼─ owner ─┼─ payload: sealed blocks ─┼─ unused ─┤
/// ```
///
/// | offset | bytes | field     |                                                     |
/// |-------:|------:|-----------|-----------------------------------------------------|
/// |      0 |     4 | checksum  | CRC-32C of bytes 4..<header bytes                   |
/// |      4 |     4 | mark      | "DSTC"                                              |
/// |      8 |     2 | version   | 1                                                   |
/// |     10 |     2 | kind      | 1: a chunk                                          |
/// |     12 |     2 | header    | bytes before the payload                            |
/// |     14 |     2 | owner     | bytes of the owner record                           |
/// |     16 |    16 | chunk     | id, big-endian                                      |
/// |     32 |    16 | segment   | identity: leftovers of others are not taken for ours |
/// |     48 |     8 | offset    | of this extent in the segment                       |
/// |     56 |     4 | payload   | bytes of the chunk                                  |
/// |     60 |     4 | blocks    | how many, the last may be short                     |
/// |     64 |   4·n | checksums | CRC-32C of each block of the payload                |
/// |        |       | owner     | opaque                                              |
struct ExtentHeader: Equatable, Sendable {
    static let version: UInt16 = 1
    static let fixedBytes = 64
    private static let mark: UInt32 = 0x4354_5344
    private static let kindChunk: UInt16 = 1

    var chunk: ChunkID
    var segment: StorageIdentity
    var offset: Int
    var payloadBytes: Int
    var checksums: [UInt32]
    var owner: [UInt8]

    var headerBytes: Int {
        Self.headerBytes(payloadBytes: payloadBytes, ownerBytes: owner.count)
    }

    static func blockCount(payloadBytes: Int) -> Int {
        (payloadBytes + Limits.sealedBlockBytes - 1) / Limits.sealedBlockBytes
    }

    static func headerBytes(payloadBytes: Int, ownerBytes: Int) -> Int {
        fixedBytes + 4 * blockCount(payloadBytes: payloadBytes) + ownerBytes
    }

    func encoded() -> [UInt8] {
        precondition(checksums.count == Self.blockCount(payloadBytes: payloadBytes))
        precondition(owner.count <= Limits.ownerRecordBytesMax)
        var writer = RecordWriter(capacity: headerBytes)
        writer.append(UInt32(0))
        writer.append(Self.mark)
        writer.append(Self.version)
        writer.append(Self.kindChunk)
        writer.append(UInt16(headerBytes))
        writer.append(UInt16(owner.count))
        writer.append(chunk.bytes)
        writer.append(segment.bytes)
        writer.append(UInt64(offset))
        writer.append(UInt32(payloadBytes))
        writer.append(UInt32(checksums.count))
        for checksum in checksums { writer.append(checksum) }
        writer.append(owner)
        let checksum = writer.bytes.withUnsafeBytes { CRC32C.of($0.part(4..<$0.count)) }
        writer.put(checksum, at: 0)
        assert(writer.bytes.count == headerBytes)
        return writer.bytes
    }

    /// - Parameter bytes: At least the header; what follows is not looked at.
    static func decode(_ raw: UnsafeRawBufferPointer) throws(HeaderProblem) -> ExtentHeader {
        guard raw.count >= fixedBytes else { throw .blank }
        let checksum: UInt32 = raw.value(at: 0)
        let mark: UInt32 = raw.value(at: 4)
        if checksum == 0, mark == 0 { throw .blank }
        let headerBytes = Int(raw.value(UInt16.self, at: 12))
        guard mark == Self.mark, headerBytes >= fixedBytes, headerBytes <= raw.count,
            checksum == CRC32C.of(raw.part(4..<headerBytes))
        else { throw .damaged }
        let version: UInt16 = raw.value(at: 8)
        guard version == Self.version, raw.value(UInt16.self, at: 10) == kindChunk else {
            throw .unknownVersion(version)
        }
        let ownerBytes = Int(raw.value(UInt16.self, at: 14))
        let payloadBytes = Int(raw.value(UInt32.self, at: 56))
        let blockCount = Int(raw.value(UInt32.self, at: 60))
        guard payloadBytes > 0, payloadBytes <= Limits.sealedChunkBytesMax,
            blockCount == self.blockCount(payloadBytes: payloadBytes),
            headerBytes == fixedBytes + 4 * blockCount + ownerBytes
        else { throw .damaged }
        return ExtentHeader(
            chunk: ChunkID(bytes: raw.part(16..<32))!,
            segment: StorageIdentity(bytes: raw.part(32..<48))!,
            offset: Int(clamping: raw.value(UInt64.self, at: 48)), payloadBytes: payloadBytes,
            checksums: (0..<blockCount).map { raw.value(at: fixedBytes + 4 * $0) },
            owner: Array(raw.part(fixedBytes + 4 * blockCount..<headerBytes)))
    }
}

/// Where a chunk is. What the index keeps of it.
struct ChunkLocation: Hashable, Sendable {
    let segment: UInt32
    /// Of the extent.
    let offset: Int
    let headerBytes: Int
    let payloadBytes: Int

    var extent: Extent {
        Extent(
            segment: segment, offset: offset,
            bytes: Extent.bytes(headerBytes: headerBytes, payloadBytes: payloadBytes))
    }
}

/// Whole pages of a segment that belong to one chunk.
struct Extent: Hashable, Sendable {
    let segment: UInt32
    let offset: Int
    let bytes: Int

    var range: Range<Int> { offset..<offset + bytes }

    static func bytes(headerBytes: Int, payloadBytes: Int) -> Int {
        let alignment = ChunkStoreLimits.alignment
        return (headerBytes + payloadBytes + alignment - 1) / alignment * alignment
    }
}
