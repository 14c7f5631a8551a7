import Core
import NIOCore
import S3

/// The running digests of one body: MD5 for the ETag, and the checksum that was asked for.
struct BodyDigests: ~Copyable {
    private var md5 = Digest(.md5)
    private let algorithm: ObjectChecksum.Algorithm?
    private var hasher: ChecksumHasher?

    init(_ algorithm: ObjectChecksum.Algorithm?) {
        self.algorithm = algorithm
        if let algorithm { hasher = ChecksumHasher(algorithm.named) } else { hasher = nil }
    }

    mutating func update(_ piece: ByteBuffer) {
        piece.withUnsafeReadableBytes { bytes in
            md5.update(bytes)
            hasher?.update(bytes)
        }
    }

    consuming func finish() -> (md5: [UInt8], checksum: ObjectChecksum?) {
        let value = hasher.take()?.finish().bytes
        let checksum = algorithm.flatMap { algorithm in
            value.map { ObjectChecksum(algorithm: algorithm, value: $0) }
        }
        return (md5.finish(), checksum)
    }
}
