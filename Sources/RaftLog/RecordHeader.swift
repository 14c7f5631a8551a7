import Core

/// The head of a record: what one `append` wrote, or the first record of a segment. Little-endian.
///
/// | offset | bytes | field    |                                                                |
/// |-------:|------:|----------|----------------------------------------------------------------|
/// |      0 |     4 | checksum | CRC-32C of bytes 4..<32 + length                               |
/// |      4 |     2 | version  | 1                                                              |
/// |      6 |     2 | kind     | 1 head of a segment, 2 batch                                   |
/// |      8 |     8 | salt     | the segment's random number, the same in all its records       |
/// |     16 |     4 | offset   | where in the file this record begins                           |
/// |     20 |     4 | durable  | bytes of the file that were synced before this was written     |
/// |     24 |     4 | length   | payload bytes, which follow; then zeros up to a multiple of 8   |
/// |     28 |     4 | count    | items in the payload                                           |
///
/// A record names its own place and its segment's salt, so a scan finds it without the ones before,
/// and neither stale bytes nor the payload of another record look like it. `durable` tells rot from
/// a torn write: a bad record in front of `durable` of any good one was once whole.
struct RecordHeader: Hashable {
    enum Kind: UInt16 { case segmentHead = 1, batch = 2 }

    static let byteCount = 32
    static let alignment = 8
    static let version: UInt16 = 1

    var checksum: UInt32
    var version: UInt16
    var kind: UInt16
    var salt: UInt64
    var offset: UInt32
    var durable: UInt32
    var length: UInt32
    var itemCount: UInt32

    /// - Returns: `nil` if fewer than ``byteCount`` bytes are there.
    init?(_ bytes: [UInt8], at start: Int = 0) {
        guard bytes.count - start >= Self.byteCount else { return nil }
        var reader = ByteReader(bytes, from: start)
        guard let checksum = reader.next(UInt32.self), let version = reader.next(UInt16.self),
            let kind = reader.next(UInt16.self), let salt = reader.next(UInt64.self),
            let offset = reader.next(UInt32.self), let durable = reader.next(UInt32.self),
            let length = reader.next(UInt32.self), let itemCount = reader.next(UInt32.self)
        else { return nil }
        self.checksum = checksum
        self.version = version
        self.kind = kind
        self.salt = salt
        self.offset = offset
        self.durable = durable
        self.length = length
        self.itemCount = itemCount
    }

    /// Header, payload and padding.
    var recordBytes: Int { Self.recordBytes(payload: Int(length)) }

    static func recordBytes(payload: Int) -> Int {
        (byteCount + payload + alignment - 1) / alignment * alignment
    }

    /// Whether it says of itself what a record at `position` must say.
    func isPlausible(at position: Int, salt: UInt64?, fileBytes: Int) -> Bool {
        Int(offset) == position && (salt == nil || self.salt == salt)
            && Int(durable) <= position && position + recordBytes <= fileBytes
    }

    static func checksum(of record: [UInt8], length: Int) -> UInt32 {
        record.withUnsafeBytes {
            CRC32C.of(UnsafeRawBufferPointer(rebasing: $0[4..<byteCount + length]))
        }
    }
}

/// Collects items and makes them a record.
struct RecordBuilder {
    private var writer = ByteWriter()
    private(set) var itemCount: UInt32 = 0

    init() { writer.append(zeros: RecordHeader.byteCount) }

    /// Bytes of the record, were it made now.
    var recordBytes: Int {
        RecordHeader.recordBytes(payload: writer.count - RecordHeader.byteCount)
    }

    var isEmpty: Bool { itemCount == 0 }

    /// - Returns: where in the record the item begins, and its bytes.
    mutating func append(_ item: LogItem) -> Range<Int> {
        let start = writer.count
        item.encode(to: &writer)
        itemCount += 1
        return start..<writer.count
    }

    mutating func append(field: some FixedWidthInteger) { writer.append(field) }

    /// - Parameters:
    ///   - offset: Where in the file it will be; a multiple of ``RecordHeader/alignment``.
    ///   - durable: How much of the file is synced.
    mutating func record(
        kind: RecordHeader.Kind, salt: UInt64, offset: Int, durable: Int
    ) -> [UInt8] {
        precondition(offset % RecordHeader.alignment == 0)
        precondition(durable <= offset)
        let length = writer.count - RecordHeader.byteCount
        writer.set(RecordHeader.version, at: 4)
        writer.set(kind.rawValue, at: 6)
        writer.set(salt, at: 8)
        writer.set(UInt32(offset), at: 16)
        writer.set(UInt32(durable), at: 20)
        writer.set(UInt32(length), at: 24)
        writer.set(itemCount, at: 28)
        writer.set(RecordHeader.checksum(of: writer.bytes, length: length), at: 0)
        writer.append(zeros: RecordHeader.recordBytes(payload: length) - writer.count)
        return writer.bytes
    }

    mutating func removeAll() {
        writer.removeAll()
        writer.append(zeros: RecordHeader.byteCount)
        itemCount = 0
    }
}
