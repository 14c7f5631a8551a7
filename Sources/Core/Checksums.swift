import CCore

/// A running checksum: feed pieces in order, read ``value`` at any time.
package protocol Checksum: Sendable {
    associatedtype Value: FixedWidthInteger & Sendable
    init()
    var value: Value { get }
    mutating func update(_ bytes: UnsafeRawBufferPointer)
}

extension Checksum {
    package mutating func update(_ bytes: some Collection<UInt8>) {
        let isContiguous: Void? = bytes.withContiguousStorageIfAvailable {
            update(UnsafeRawBufferPointer($0))
        }
        if isContiguous == nil { Array(bytes).withUnsafeBytes { update($0) } }
    }

    package static func of(_ bytes: some Collection<UInt8>) -> Value {
        var sum = Self()
        sum.update(bytes)
        return sum.value
    }

    package static func of(_ bytes: UnsafeRawBufferPointer) -> Value {
        var sum = Self()
        sum.update(bytes)
        return sum.value
    }
}

/// CRC-32C (Castagnoli; RFC 3720 B.4): what the disk formats use. The processor's instruction
/// where there is one.
package struct CRC32C: Checksum {
    package private(set) var value: UInt32 = 0
    package init() {}
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        value = dst_crc32c(value, bytes.baseAddress, bytes.count)
    }
}

/// CRC-32 as in zlib: one of S3's object checksums.
package struct CRC32: Checksum {
    package private(set) var value: UInt32 = 0
    package init() {}
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        value = dst_crc32(value, bytes.baseAddress, bytes.count)
    }
}

/// CRC-64/NVME: S3's default object checksum.
package struct CRC64NVME: Checksum {
    package private(set) var value: UInt64 = 0
    package init() {}
    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        value = dst_crc64nvme(value, bytes.baseAddress, bytes.count)
    }
}
