/// Writes protobuf's wire format straight from SQLite's memory, for the answers where a message
/// object per row would cost more than the rows. Field numbers are those of the .proto files; the
/// tests read the answers with the generated code.
struct ProtoWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    /// Empties it and keeps its memory.
    mutating func clear() { bytes.removeAll(keepingCapacity: true) }

    mutating func append(_ other: ProtoWriter) { bytes.append(contentsOf: other.bytes) }

    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// A number; nothing where it is 0, as proto3 has it.
    mutating func number(_ field: UInt64, _ value: UInt64) {
        if value == 0 { return }
        varint(field << 3)
        varint(value)
    }

    /// Bytes, text or a message; an empty message is written, unlike empty bytes.
    mutating func message(_ field: UInt64, _ content: [UInt8]) {
        content.withUnsafeBytes { message(field, $0) }
    }

    mutating func message(_ field: UInt64, _ content: UnsafeRawBufferPointer) {
        varint(field << 3 | 2)
        varint(UInt64(content.count))
        bytes.append(contentsOf: content)
    }

    mutating func blob(_ field: UInt64, _ content: [UInt8]) {
        if !content.isEmpty { message(field, content) }
    }

    mutating func blob(_ field: UInt64, _ content: UnsafeRawBufferPointer) {
        if !content.isEmpty { message(field, content) }
    }

    /// Bytes of a field as `message` writes it.
    static func size(field: UInt64, count: Int) -> Int {
        varintSize(field << 3) + varintSize(UInt64(count)) + count
    }

    static func varintSize(_ value: UInt64) -> Int {
        value == 0 ? 1 : (64 - value.leadingZeroBitCount + 6) / 7
    }
}
