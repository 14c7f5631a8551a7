import Core
import S3

/// Between the catalogue's form of checksums and S3's, which knows how to compute them.
extension ObjectChecksum.Algorithm {
    package var named: ChecksumAlgorithm {
        switch self {
        case .crc32: .crc32
        case .crc32c: .crc32c
        case .crc64nvme: .crc64nvme
        case .sha1: .sha1
        case .sha256: .sha256
        }
    }
}

extension ObjectChecksum {
    /// The checksum of an object from those of its parts.
    ///
    /// - Parameter parts: in order, all of `algorithm`.
    /// - Returns: `nil` where there are none, or the algorithm cannot.
    static func ofParts(
        _ parts: [(value: [UInt8], size: Int)], _ algorithm: Algorithm, _ type: ChecksumType
    ) -> ObjectChecksum? {
        guard !parts.isEmpty, parts.allSatisfy({ $0.value.count == algorithm.byteCount }) else {
            return nil
        }
        let values = parts.map { ChecksumValue(algorithm: algorithm.named, bytes: $0.value) }
        switch type {
        case .composite:
            return ObjectChecksum(
                algorithm: algorithm, value: ChecksumCombine.composite(values).bytes,
                isComposite: true)
        case .fullObject:
            let sizes = zip(values, parts).map { (checksum: $0, bytes: $1.size) }
            return ChecksumCombine.fullObject(sizes).map {
                ObjectChecksum(algorithm: algorithm, value: $0.bytes)
            }
        }
    }
}
