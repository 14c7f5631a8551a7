import Core
import NIOCore

/// The running digests of one body: MD5 for the ETag, and the checksum that was asked for.
struct BodyDigests: ~Copyable {
    private var md5 = Digest(.md5)
    private let algorithm: ObjectChecksum.Algorithm?
    private var crc32 = CRC32()
    private var crc32c = CRC32C()
    private var crc64 = CRC64NVME()
    private var sha: Digest?

    init(_ algorithm: ObjectChecksum.Algorithm?) {
        self.algorithm = algorithm
        switch algorithm {
        case .sha1: sha = Digest(.sha1)
        case .sha256: sha = Digest(.sha256)
        case .crc32, .crc32c, .crc64nvme, nil: sha = nil
        }
    }

    mutating func update(_ piece: ByteBuffer) {
        piece.withUnsafeReadableBytes { bytes in
            md5.update(bytes)
            switch algorithm {
            case .crc32: crc32.update(bytes)
            case .crc32c: crc32c.update(bytes)
            case .crc64nvme: crc64.update(bytes)
            case .sha1, .sha256: sha?.update(bytes)
            case nil: break
            }
        }
    }

    consuming func finish() -> (md5: [UInt8], checksum: ObjectChecksum?) {
        let algorithm = self.algorithm
        let sums = (crc32.value, crc32c.value, crc64.value)
        let shaValue: [UInt8] =
            switch consume sha {
            case .some(let sha): sha.finish()
            case nil: []
            }
        let md5 = self.md5.finish()
        guard let algorithm else { return (md5, nil) }
        let value: [UInt8] =
            switch algorithm {
            case .crc32: sums.0.bigEndianBytes
            case .crc32c: sums.1.bigEndianBytes
            case .crc64nvme: sums.2.bigEndianBytes
            case .sha1, .sha256: shaValue
            }
        return (md5, ObjectChecksum(algorithm: algorithm, value: value))
    }

    /// The digest of bytes that are all here.
    static func of(_ bytes: [UInt8], _ algorithm: ObjectChecksum.Algorithm) -> [UInt8] {
        switch algorithm {
        case .crc32: CRC32.of(bytes).bigEndianBytes
        case .crc32c: CRC32C.of(bytes).bigEndianBytes
        case .crc64nvme: CRC64NVME.of(bytes).bigEndianBytes
        case .sha1: Digest.of(bytes, .sha1)
        case .sha256: Digest.of(bytes, .sha256)
        }
    }
}
