import Core

/// Checksums of an object that was uploaded in parts, from those of its parts.
package enum ChecksumCombine {
    /// The checksum of the parts' checksums. - Parameter parts: One or more, in order, of one
    /// algorithm.
    package static func composite(_ parts: [ChecksumValue]) -> ChecksumValue {
        precondition(!parts.isEmpty)
        let joined = parts.flatMap(\.bytes)
        let sum = ChecksumHasher.of(joined, parts[0].algorithm)
        return ChecksumValue(
            algorithm: sum.algorithm, bytes: sum.bytes, compositePartCount: parts.count)
    }

    /// The checksum of all bytes, without reading them again.
    ///
    /// - Parameter parts: One or more, in order, of one of the CRCs, with their sizes in bytes.
    /// - Returns: `nil` for SHA-1 and SHA-256, which cannot be combined.
    package static func fullObject(_ parts: [(checksum: ChecksumValue, bytes: Int)])
        -> ChecksumValue?
    {
        precondition(!parts.isEmpty)
        let algorithm = parts[0].checksum.algorithm
        guard let field = PolynomialField(algorithm) else { return nil }
        var sum: UInt64 = 0
        for part in parts {
            let next = part.checksum.bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            // The sum of nothing is 0: the first part comes out as it is.
            sum = field.multiply(field.power(bytes: part.bytes), sum) ^ next
        }
        let bytes = Array(sum.bigEndianBytes.suffix(algorithm.byteCount))
        return ChecksumValue(algorithm: algorithm, bytes: bytes)
    }
}

/// Polynomials over GF(2) modulo a CRC's own, bit-reflected as the CRCs are: the highest bit is
/// the coefficient of x⁰. After Mark Adler's `crc32_combine` in zlib.
private struct PolynomialField {
    private let width: Int
    private let polynomial: UInt64

    init?(_ algorithm: ChecksumAlgorithm) {
        switch algorithm {
        case .crc32: (width, polynomial) = (32, 0xEDB8_8320)
        case .crc32c: (width, polynomial) = (32, 0x82F6_3B78)
        case .crc64nvme: (width, polynomial) = (64, 0x9A6C_9329_AC4B_C9B5)
        case .sha1, .sha256: return nil
        }
    }

    func multiply(_ left: UInt64, _ right: UInt64) -> UInt64 {
        var product: UInt64 = 0
        var factor = right
        var bit = UInt64(1) << UInt64(width - 1)
        while bit != 0 {
            if left & bit != 0 { product ^= factor }
            factor = factor & 1 == 1 ? factor >> 1 ^ polynomial : factor >> 1
            bit >>= 1
        }
        return product
    }

    /// x to the power of `8 * bytes`: what appending that many bytes multiplies by.
    func power(bytes: Int) -> UInt64 {
        var result = UInt64(1) << UInt64(width - 1)
        var square = UInt64(1) << UInt64(width - 2)
        for _ in 0..<3 { square = multiply(square, square) }
        var rest = bytes
        while rest > 0 {
            if rest & 1 == 1 { result = multiply(result, square) }
            square = multiply(square, square)
            rest >>= 1
        }
        return result
    }
}

/// ETags of objects uploaded in parts.
package enum MultipartETag {
    /// MD5 of the parts' MD5s, and how many there are. Without quotes.
    ///
    /// - Parameter partETags: 32 hex digits each.
    /// - Returns: `nil` if one is not an MD5.
    package static func of(_ partETags: [String]) -> String? {
        var digest = Digest(.md5)
        for tag in partETags {
            guard let bytes = Hex.decode(tag), bytes.count == 16 else { return nil }
            digest.update(bytes)
        }
        return "\(Hex.encode(digest.finish()))-\(partETags.count)"
    }
}
