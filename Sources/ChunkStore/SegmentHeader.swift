import Core

/// A random name of one store or one segment, so that bytes of another are never taken for ours.
package struct StorageIdentity: Identifier128 {
    package let high: UInt64
    package let low: UInt64
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// What a segment is for. Small commits must not wait for the bytes of large ones.
package enum SegmentKind: UInt16, Sendable, CaseIterable {
    case small = 1
    case large = 2

    init(payloadBytes: Int) {
        self = payloadBytes <= ChunkStoreLimits.smallBytesMax ? .small : .large
    }
}

/// What is wrong with a header that was read.
enum HeaderProblem: Error, Equatable {
    /// Nothing but zeros: never written, or punched out.
    case blank
    /// The checksum or the mark is wrong.
    case damaged
    case unknownVersion(UInt16)
}

/// The first page of a segment file, and of the file that names the store. Little-endian.
///
/// | offset | bytes | field    |                                        |
/// |-------:|------:|----------|----------------------------------------|
/// |      0 |     4 | checksum | CRC-32C of bytes 4..<64                |
/// |      4 |     4 | mark     | "DSTS"                                 |
/// |      8 |     2 | version  | 1; 2 in tombstone files                |
/// |     10 |     2 | kind     | 1 small, 2 large; 0 in the store file  |
/// |     12 |     4 | number   | of the segment; 0 in the store file    |
/// |     16 |    16 | store    | identity, big-endian                   |
/// |     32 |    16 | segment  | identity; zeros in the store file      |
/// |     48 |     8 | bytes    | size of the segment at creation        |
/// |     56 |     1 | sealed   | 1: nothing is added any more           |
/// |     57 |     7 |          | zeros                                  |
struct SegmentHeader: Equatable {
    static let version: UInt16 = 1
    static let byteCount = 64
    private static let mark: UInt32 = 0x5354_5344

    var kind: SegmentKind?
    var number: UInt32
    var store: StorageIdentity
    var identity: StorageIdentity
    var bytes: Int
    var isSealed = false
    var version = SegmentHeader.version

    func encoded() -> [UInt8] {
        var writer = RecordWriter(capacity: Self.byteCount)
        writer.append(UInt32(0))
        writer.append(Self.mark)
        writer.append(version)
        writer.append(kind?.rawValue ?? 0)
        writer.append(number)
        writer.append(store.bytes)
        writer.append(identity.bytes)
        writer.append(UInt64(bytes))
        writer.append(isSealed ? 1 : 0 as UInt8)
        writer.pad(to: Self.byteCount)
        writer.put(CRC32C.of(writer.bytes[4...]), at: 0)
        return writer.bytes
    }

    static func decode(
        _ bytes: [UInt8], versions: ClosedRange<UInt16> = version...version
    ) throws(HeaderProblem) -> SegmentHeader {
        guard bytes.count >= byteCount else { throw .blank }
        let bytes = Array(bytes[..<byteCount])
        if bytes.allSatisfy({ $0 == 0 }) { throw .blank }
        let fields = bytes.withUnsafeBytes { raw in
            (
                checksum: raw.value(UInt32.self, at: 0), mark: raw.value(UInt32.self, at: 4),
                version: raw.value(UInt16.self, at: 8), kind: raw.value(UInt16.self, at: 10),
                number: raw.value(UInt32.self, at: 12), bytes: raw.value(UInt64.self, at: 48)
            )
        }
        guard fields.mark == mark, fields.checksum == CRC32C.of(bytes[4...]) else {
            throw .damaged
        }
        guard versions.contains(fields.version) else { throw .unknownVersion(fields.version) }
        guard fields.bytes <= UInt64(ChunkStoreLimits.segmentBytesMax) else { throw .damaged }
        return SegmentHeader(
            kind: SegmentKind(rawValue: fields.kind), number: fields.number,
            store: StorageIdentity(bytes: bytes[16..<32])!,
            identity: StorageIdentity(bytes: bytes[32..<48])!, bytes: Int(fields.bytes),
            isSealed: bytes[56] == 1, version: fields.version)
    }

    static func fileName(_ number: UInt32) -> String {
        let digits = String(number, radix: 16)
        return "segment-" + String(repeating: "0", count: 8 - digits.count) + digits
    }

    /// - Returns: `nil` for other files.
    static func number(ofFile name: String) -> UInt32? {
        guard name.utf8.count == 16, let number = UInt32(name.dropFirst(8), radix: 16),
            ChunkStoreLimits.fileNumbers.contains(number), fileName(number) == name
        else { return nil }
        return number
    }
}
