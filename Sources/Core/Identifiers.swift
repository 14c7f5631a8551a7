/// The names of things. A type per meaning, so that the compiler catches a swapped argument.
///
/// All 128-bit identifiers are sixteen bytes, compared and ordered as bytes (big-endian).
package protocol Identifier128: Hashable, Sendable, Comparable, CustomStringConvertible, Codable {
    /// Bytes 0..<8 and 8..<16, big-endian.
    var high: UInt64 { get }
    var low: UInt64 { get }
    init(high: UInt64, low: UInt64)
}

extension Identifier128 {
    package static var byteCount: Int { 16 }

    /// A fresh identifier from `random`; deterministic where the generator is.
    package static func random(using random: inout some RandomNumberGenerator) -> Self {
        Self(high: random.next(), low: random.next())
    }

    /// - Returns: `nil` unless `bytes` holds exactly sixteen bytes.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 16 else { return nil }
        let (high, low) =
            bytes.withContiguousStorageIfAvailable { Self.words(UnsafeRawBufferPointer($0)) }
            ?? Array(bytes).withUnsafeBytes(Self.words)
        self.init(high: high, low: low)
    }

    /// A map of the cluster has thousands of them: no generic iteration over bytes.
    private static func words(_ bytes: UnsafeRawBufferPointer) -> (high: UInt64, low: UInt64) {
        let high = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
        let low = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        return (high, low)
    }

    /// Sixteen bytes, big-endian: their order is the order of the identifiers.
    package var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
            for offset in 0..<8 {
                buffer.initializeElement(
                    at: offset, to: UInt8(truncatingIfNeeded: high >> (56 - offset * 8)))
                buffer.initializeElement(
                    at: offset + 8, to: UInt8(truncatingIfNeeded: low >> (56 - offset * 8)))
            }
            count = 16
        }
    }

    /// 32 lower-case hex digits.
    package var hex: String { Hex.encode(bytes) }

    package var description: String { hex }

    /// - Returns: `nil` unless `text` is 32 hex digits, hyphens (as in UUIDs) ignored.
    package init?(hex text: some StringProtocol) {
        guard let bytes = Hex.decode(text.utf8.filter { $0 != UInt8(ascii: "-") }) else {
            return nil
        }
        self.init(bytes: bytes)
    }

    package static func < (left: Self, right: Self) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let value = Self(hex: text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text)' is not a UUID of 32 hex digits")
        }
        self = value
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hex)
    }
}

/// One node of the cluster: random, made once for an empty data directory, never reused.
package struct NodeID: Identifier128 {
    package let high: UInt64
    package let low: UInt64
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// As people write UUIDs: 8-4-4-4-12 hex digits.
    package var description: String {
        let digits = Array(hex)
        return [0..<8, 8..<12, 12..<16, 16..<20, 20..<32]
            .map { String(digits[$0]) }.joined(separator: "-")
    }
}

/// One cluster: decided at formation, in every handshake.
package struct ClusterID: Identifier128 {
    package let high: UInt64
    package let low: UInt64
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// One proposed change of the catalogue: applying it twice answers the same.
package struct CommandID: Identifier128 {
    package let high: UInt64
    package let low: UInt64
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// One multipart upload.
package struct UploadID: Identifier128 {
    package let high: UInt64
    package let low: UInt64
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// One chunk. Never reused.
///
/// ```
/// | partition 12 | zeros 4 | born 32 | random 80 |
/// ```
///
/// `born` is what makes it safe to sweep chunks that nothing names: see decision 7.
package struct ChunkID: Identifier128 {
    package let high: UInt64
    package let low: UInt64
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// - Parameter time: By the clock of whoever begins to write it; 1970 to 2106, clamped.
    package init(
        partition: PartitionID, born time: WallTime,
        using random: inout some RandomNumberGenerator
    ) {
        let bits: UInt64 = random.next()
        let born = UInt32(clamping: time.milliseconds / 1000)
        self.high = UInt64(partition.rawValue) << 52 | UInt64(born) << 16 | bits >> 48
        self.low = random.next()
    }

    package var partition: PartitionID { PartitionID(rawValue: UInt16(high >> 52))! }

    /// Seconds since 1970 when its first writer drew the id, by that writer's clock. Within a
    /// partition, ids are in the order of it.
    package var born: UInt32 { UInt32(truncatingIfNeeded: high >> 16) }
}

/// One of the 4,096 parts that the chunk space is cut into: the unit of placement.
package struct PartitionID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package static let count = 4096
    package let rawValue: UInt16

    /// - Returns: `nil` for 4,096 and above.
    package init?(rawValue: UInt16) {
        guard rawValue < Self.count else { return nil }
        self.rawValue = rawValue
    }

    package static var all: some Sequence<PartitionID> {
        (0..<UInt16(count)).lazy.map { PartitionID(rawValue: $0)! }
    }

    package var description: String { "p\(rawValue)" }

    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// One bucket: random, so that buckets spread over the ranges; never reused after a delete.
package struct BucketID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package var description: String { Hex.encode(rawValue.bigEndianBytes) }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// One Raft group: 0 is the system range, 1... are the ranges of the object index.
package struct RangeID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package static let system = RangeID(rawValue: 0)
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
    package var description: String { rawValue == 0 ? "system" : "range-\(rawValue)" }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Version of the cluster map; grows by one with each change.
package struct Epoch: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
    package var description: String { "\(rawValue)" }
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// What a node does.
package enum NodeRole: String, Sendable, Codable, CaseIterable {
    case coordinator, storage, gateway
}

extension FixedWidthInteger {
    /// The value's bytes, most significant first.
    package var bigEndianBytes: [UInt8] {
        withUnsafeBytes(of: bigEndian) { Array($0) }
    }
}
