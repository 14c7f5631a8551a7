import Core

/// A chunk that was deleted for good, or a copy that is gone from this node alone. Little-endian.
///
/// | offset | bytes | field    |                                                   |
/// |-------:|------:|----------|---------------------------------------------------|
/// |      0 |     4 | checksum | CRC-32C of bytes 4..<64                           |
/// |      4 |     4 | mark     | "DST2" deleted, "DSD2" dropped                    |
/// |      8 |     8 | time     | milliseconds since 1970, UTC                      |
/// |     16 |    16 | chunk    | id, big-endian                                    |
/// |     32 |     8 | offset   | of the extent that held it; 0 where none did      |
/// |     40 |     4 | number   | of its segment                                    |
/// |     44 |     4 | bytes    | of the extent                                     |
/// |     48 |    16 | segment  | identity: numbers may come again, these never do  |
///
/// Version 1 ended after the chunk: 32 bytes, marks "DSTT" and "DSTD", no extent. It is still read;
/// a drop of version 1 takes whatever copy the index knows.
struct TombstoneRecord: Equatable, Sendable {
    static let byteCount = 64
    static let byteCountOfVersion1 = 32

    enum Kind: Sendable {
        /// The chunk can't come back.
        case deleted
        /// One extent holds the chunk no more: its copy belongs elsewhere now, was replaced, or
        /// never came to be. Another extent may hold it.
        case dropped
    }

    /// The extent that held the chunk, and whose segment that was.
    struct Place: Hashable, Sendable {
        let extent: Extent
        let identity: StorageIdentity
    }

    let kind: Kind
    let chunk: ChunkID
    let milliseconds: Int64
    /// `nil` for a delete of a chunk that was not here, and in records of version 1.
    let place: Place?

    func append(to writer: inout RecordWriter) {
        let start = writer.bytes.count
        writer.append(UInt32(0))
        writer.append(Self.mark(kind))
        writer.append(milliseconds)
        writer.append(chunk.bytes)
        writer.append(UInt64(place?.extent.offset ?? 0))
        writer.append(place?.extent.segment ?? 0)
        writer.append(UInt32(place?.extent.bytes ?? 0))
        writer.append((place?.identity ?? StorageIdentity(high: 0, low: 0)).bytes)
        let checksum = writer.bytes.withUnsafeBytes {
            CRC32C.of($0.part(start + 4..<start + Self.byteCount))
        }
        writer.put(checksum, at: start)
    }

    /// - Parameter raw: What is left of the file from the record on; at least 32 bytes.
    /// - Returns: The record and its length.
    static func decode(
        _ raw: UnsafeRawBufferPointer
    ) throws(HeaderProblem) -> (record: TombstoneRecord, byteCount: Int) {
        let checksum: UInt32 = raw.value(at: 0)
        let mark: UInt32 = raw.value(at: 4)
        if checksum == 0, mark == 0 { throw .blank }
        guard let (kind, count) = kind(ofMark: mark), raw.count >= count,
            checksum == CRC32C.of(raw.part(4..<count))
        else { throw .damaged }
        let record = TombstoneRecord(
            kind: kind, chunk: ChunkID(bytes: raw.part(16..<32))!, milliseconds: raw.value(at: 8),
            place: count == byteCount ? place(raw) : nil)
        return (record, count)
    }

    private static func place(_ raw: UnsafeRawBufferPointer) -> Place? {
        let extent = Extent(
            segment: raw.value(at: 40), offset: Int(clamping: raw.value(UInt64.self, at: 32)),
            bytes: Int(raw.value(UInt32.self, at: 44)))
        let alignment = ChunkStoreLimits.alignment
        guard extent.bytes > 0, extent.bytes <= ChunkStoreLimits.extentBytesMax,
            extent.bytes % alignment == 0, extent.offset >= ChunkStoreLimits.segmentHeaderBytes,
            extent.offset % alignment == 0, extent.offset <= Int(UInt32.max) * alignment
        else { return nil }
        return Place(extent: extent, identity: StorageIdentity(bytes: raw.part(48..<64))!)
    }

    private static func mark(_ kind: Kind) -> UInt32 {
        switch kind {
        case .deleted: 0x3254_5344
        case .dropped: 0x3244_5344
        }
    }

    private static func kind(ofMark mark: UInt32) -> (Kind, Int)? {
        switch mark {
        case Self.mark(.deleted): (.deleted, byteCount)
        case Self.mark(.dropped): (.dropped, byteCount)
        case 0x5454_5344: (.deleted, byteCountOfVersion1)
        case 0x4454_5344: (.dropped, byteCountOfVersion1)
        default: nil
        }
    }
}
