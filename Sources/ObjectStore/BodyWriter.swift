import Core
import Foundation
import Messages
import NIOCore

/// Where a body belongs: what its chunks' owner records say.
struct BodyOwner: Sendable {
    let bucket: BucketID
    let key: ObjectKey
    var upload: UploadID?
    var part = 0
}

/// What the client said the bytes would be.
struct BodyClaims: Sendable {
    var contentMD5: [UInt8]?
    var checksum: ObjectChecksum.Algorithm?
    var declared: ObjectChecksum?
}

/// A body that is durable and that nothing names yet.
struct StoredBody: Sendable {
    var body = ProtoBody()
    var missing: [ProtoMissingCopy] = []
    let size: Int
    let md5: [UInt8]
    let checksum: ObjectChecksum?
    let chunks: [(id: ChunkID, nodes: [NodeID])]

    var etag: String { Hex.encode(md5) }
}

/// Stores one body: plaintext in; sealed inline, or in chunks on a quorum of replicas.
///
/// ```
/// source ─▶ MD5, checksum ─▶ 64 KiB blocks sealed in place ─▶ pieces of 4 blocks ─▶ R replicas
/// ```
struct BodyWriter: Sendable {
    let writing: ChunkWriting
    let keys: KeyRing

    /// - Parameter length: bytes that the source will give, exactly.
    /// - Throws: ``ObjectStoreError``, or what the source throws; nothing is left behind then.
    func store(
        _ source: sending some ByteSource, length: Int, owner: BodyOwner, claims: BodyClaims
    ) async throws -> StoredBody {
        let pieces = PieceReader(
            source, length: length, checksum: claims.checksum ?? claims.declared?.algorithm)
        if Limits.sealedBytes(ofPlain: length) <= Limits.inlineBytesMax {
            return try await storeInline(pieces, length: length, claims: claims)
        }
        let dataKey = writing.random.bytes(BlockCipher.keyBytes)
        let wrapped = keys.wrap(dataKey, random: writing.random)
        var record = OwnerRecord(
            bucket: owner.bucket, key: owner.key, write: writing.random.identifier(),
            bodyBytes: length, written: writing.clocks.wall, wrappedKey: wrapped)
        record.upload = owner.upload
        record.part = owner.part
        var series = ChunkSeries(writing, keys: keys, owner: record)
        do {
            let (md5, checksum) = try await send(
                pieces, length: length, dataKey: dataKey, to: &series, claims: claims)
            var stored = StoredBody(
                missing: series.missing, size: length, md5: md5, checksum: checksum,
                chunks: series.chunks)
            stored.body.chunked.key = wrapped
            stored.body.chunked.chunks = series.refs
            return stored
        } catch {
            series.discard()
            throw error
        }
    }

    /// The catalogue has refused the body.
    func discard(_ stored: StoredBody) {
        writing.discard(stored.chunks)
    }

    private func storeInline(
        _ pieces: consuming PieceReader<some ByteSource>, length: Int, claims: BodyClaims
    ) async throws -> StoredBody {
        var inline = ProtoInlineBody()
        if length > 0 {
            let dataKey = writing.random.bytes(BlockCipher.keyBytes)
            inline.key = keys.wrap(dataKey, random: writing.random)
            var cipher = BlockCipher(key: dataKey)
            var buffer = ByteBuffer()
            buffer.reserveCapacity(length + BlockCipher.tagBytes)
            try await pieces.fill(&buffer, count: length)
            Self.seal(&buffer, plainBytes: length, block: 0, with: &cipher)
            inline.sealed = Data(buffer.readableBytesView)
        }
        let (md5, checksum) = try await pieces.finish(claims)
        var stored = StoredBody(size: length, md5: md5, checksum: checksum, chunks: [])
        stored.body.inline = inline
        return stored
    }

    private func send(
        _ pieces: consuming PieceReader<some ByteSource>, length: Int, dataKey: [UInt8],
        to series: inout ChunkSeries, claims: BodyClaims
    ) async throws -> (md5: [UInt8], checksum: ObjectChecksum?) {
        var cipher = BlockCipher(key: dataKey)
        var buffers = SendBuffers()
        var left = length
        var chunk = 0
        while left > 0 {
            var block = chunk * blocksPerChunk
            // Its length is announced with its first piece: by then the client's pace is known.
            var remaining: Int?
            repeat {
                let pieceBytes = min(
                    remaining ?? left, ObjectStoreLimits.sendBlocksMax * Limits.blockBytes)
                var buffer = buffers.next(capacity: Limits.sealedBytes(ofPlain: pieceBytes))
                let began = writing.clocks.monotonic
                try await Self.fill(
                    &buffer, pieceBytes, from: &pieces, firstBlock: block, with: &cipher)
                block += (pieceBytes + Limits.blockBytes - 1) / Limits.blockBytes
                if remaining == nil {
                    let pace = ChunkPace(
                        bytes: pieceBytes, from: began, to: writing.clocks.monotonic)
                    let plainBytes = min(left, pace.chunkBytes)
                    try series.begin(index: chunk, plainBytes: plainBytes)
                    remaining = plainBytes
                }
                remaining = remaining.map { $0 - pieceBytes }
                left -= pieceBytes
                try await series.send(buffer, end: remaining == 0)
                buffers.sent(buffer)
            } while remaining != 0
            chunk += 1
        }
        // The body is verified while the last replicas write.
        let digests = try await pieces.finish(claims)
        try await series.finish()
        return digests
    }

    private static func fill(
        _ buffer: inout ByteBuffer, _ count: Int, from pieces: inout PieceReader<some ByteSource>,
        firstBlock: Int, with cipher: inout BlockCipher
    ) async throws {
        for (number, start) in stride(from: 0, to: count, by: Limits.blockBytes).enumerated() {
            let plainBytes = min(count - start, Limits.blockBytes)
            try await pieces.fill(&buffer, count: plainBytes)
            seal(&buffer, plainBytes: plainBytes, block: firstBlock + number, with: &cipher)
        }
    }

    /// Seals the last `plainBytes` of `buffer` where they are, and appends the tag.
    private static func seal(
        _ buffer: inout ByteBuffer, plainBytes: Int, block: Int, with cipher: inout BlockCipher
    ) {
        buffer.writeRepeatingByte(0, count: BlockCipher.tagBytes)
        let nonce = blockNonce(block)
        buffer.withUnsafeMutableReadableBytes { bytes in
            let start = bytes.count - plainBytes - BlockCipher.tagBytes
            let sealed = UnsafeMutableRawBufferPointer(rebasing: bytes[start...])
            cipher.seal(
                UnsafeRawBufferPointer(rebasing: sealed[..<plainBytes]), nonce: nonce,
                into: sealed)
        }
    }
}

/// A few buffers in turn: by the time one comes round again, the replicas mostly have its bytes,
/// and its memory is used again; else it gets new memory.
private struct SendBuffers {
    private var buffers: [ByteBuffer] = []
    private var turn = 0

    mutating func next(capacity: Int) -> ByteBuffer {
        guard buffers.count == ObjectStoreLimits.sendBuffersMax else {
            var buffer = ByteBuffer()
            buffer.reserveCapacity(capacity)
            return buffer
        }
        var buffer = ByteBuffer()
        swap(&buffer, &buffers[turn])
        buffer.clear(minimumCapacity: capacity)
        return buffer
    }

    mutating func sent(_ buffer: ByteBuffer) {
        if buffers.count < ObjectStoreLimits.sendBuffersMax {
            buffers.append(buffer)
        } else {
            buffers[turn] = buffer
            turn = (turn + 1) % buffers.count
        }
    }
}
