import Core
import NIOCore

/// Takes a body from its source in the portions that the writer wants, and runs the digests.
struct PieceReader<Source: ByteSource>: ~Copyable {
    private var source: Source
    private var piece = ByteBuffer()
    private var digests: BodyDigests
    private var receivedBytes = 0
    private let length: Int

    init(_ source: Source, length: Int, checksum: ObjectChecksum.Algorithm?) {
        precondition(length >= 0)
        self.source = source
        self.length = length
        digests = BodyDigests(checksum)
    }

    /// Appends exactly `count` bytes to `buffer`: the payload's one copy.
    mutating func fill(_ buffer: inout ByteBuffer, count: Int) async throws {
        var missing = count
        while missing > 0 {
            if piece.readableBytes == 0 {
                guard let next = try await source.next() else {
                    throw ObjectStoreError.incompleteBody
                }
                try receive(next)
                continue
            }
            let taken = min(missing, piece.readableBytes)
            piece.readWithUnsafeReadableBytes { bytes in
                buffer.writeBytes(UnsafeRawBufferPointer(rebasing: bytes[..<taken]))
                return taken
            }
            missing -= taken
        }
    }

    private mutating func receive(_ next: ByteBuffer) throws {
        receivedBytes += next.readableBytes
        guard receivedBytes <= length else { throw ObjectStoreError.incompleteBody }
        digests.update(next)
        piece = next
    }

    /// The body's end: what was declared is compared with what came.
    consuming func finish(
        _ claims: BodyClaims
    ) async throws -> (md5: [UInt8], checksum: ObjectChecksum?) {
        while let next = try await source.next() { try receive(next) }
        guard receivedBytes == length else { throw ObjectStoreError.incompleteBody }
        let trailing = source.trailingChecksum
        let (md5, checksum) = digests.finish()
        if let declared = claims.contentMD5, declared != md5 {
            throw ObjectStoreError.badDigest(declared: "Content-MD5")
        }
        for declared in [claims.declared, trailing].compactMap({ $0 }) {
            guard declared.algorithm == checksum?.algorithm else {
                throw ObjectStoreError.invalidRequest(
                    "The checksum is not of the algorithm that was announced.")
            }
            guard declared.value == checksum?.value else {
                throw ObjectStoreError.badDigest(declared: declared.algorithm.rawValue)
            }
        }
        return (md5, checksum)
    }
}
