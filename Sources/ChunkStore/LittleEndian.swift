/// Builds the bytes of a record, little-endian.
struct RecordWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func append(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }

    mutating func pad(to count: Int) {
        precondition(bytes.count <= count, "a record fits its place")
        bytes.append(contentsOf: repeatElement(0, count: count - bytes.count))
    }

    /// Puts `value` over what is at `offset`.
    mutating func put(_ value: UInt32, at offset: Int) {
        withUnsafeBytes(of: value.littleEndian) {
            bytes.replaceSubrange(offset..<offset + 4, with: $0)
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The little-endian value at `offset`, which must be within the bytes.
    func value<Value: FixedWidthInteger>(_ type: Value.Type = Value.self, at offset: Int) -> Value {
        Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
    }

    /// A part of the bytes.
    func part(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[range])
    }
}

extension UnsafeMutableRawBufferPointer {
    /// A part of the memory.
    func part(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: self[range])
    }
}
