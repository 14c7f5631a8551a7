import Core

/// The checksum of two pieces put together, from those of the pieces: what a CRC of a whole
/// multipart object comes from. (Mark Adler's `crc32_combine` in zlib: multiplication by x^(8n)
/// modulo the polynomial, over GF(2), bits reflected.)
enum ChecksumCombination {
    /// - Parameters:
    ///   - left: value of the first piece, and `right` of the second.
    ///   - rightBytes: length of the second piece.
    /// - Returns: `nil` where the algorithm cannot (SHA).
    /// - Complexity: O(log `rightBytes`).
    static func combine(
        _ left: [UInt8], _ right: [UInt8], rightBytes: Int,
        _ algorithm: ObjectChecksum.Algorithm
    ) -> [UInt8]? {
        switch algorithm {
        case .crc32: combine(left, right, rightBytes, polynomial: 0xEDB8_8320 as UInt32)
        case .crc32c: combine(left, right, rightBytes, polynomial: 0x82F6_3B78 as UInt32)
        case .crc64nvme:
            combine(left, right, rightBytes, polynomial: 0x9A6C_9329_AC4B_C9B5 as UInt64)
        case .sha1, .sha256: nil
        }
    }

    private static func combine<Value: FixedWidthInteger & UnsignedInteger>(
        _ left: [UInt8], _ right: [UInt8], _ rightBytes: Int, polynomial: Value
    ) -> [UInt8]? {
        guard left.count == Value.bitWidth / 8, right.count == left.count, rightBytes >= 0 else {
            return nil
        }
        let first = left.reduce(0) { $0 << 8 | Value($1) }
        let second = right.reduce(0) { $0 << 8 | Value($1) }
        let shifted = multiply(power(8 * rightBytes, polynomial), first, polynomial)
        return (shifted ^ second).bigEndianBytes
    }

    /// x^`exponent` modulo the polynomial. Reflected: the highest bit is x^0.
    private static func power<Value: FixedWidthInteger & UnsignedInteger>(
        _ exponent: Int, _ polynomial: Value
    ) -> Value {
        var result: Value = 1 << (Value.bitWidth - 1)
        var square: Value = 1 << (Value.bitWidth - 2)
        var exponent = exponent
        while exponent > 0 {
            if exponent & 1 == 1 { result = multiply(square, result, polynomial) }
            square = multiply(square, square, polynomial)
            exponent >>= 1
        }
        return result
    }

    private static func multiply<Value: FixedWidthInteger & UnsignedInteger>(
        _ left: Value, _ right: Value, _ polynomial: Value
    ) -> Value {
        var product: Value = 0
        var right = right
        var bit: Value = 1 << (Value.bitWidth - 1)
        while bit != 0 {
            if left & bit != 0 { product ^= right }
            right = right & 1 == 1 ? right >> 1 ^ polynomial : right >> 1
            bit >>= 1
        }
        return product
    }
}
