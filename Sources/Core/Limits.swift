/// Sizes that more than one module must agree on. Each module keeps its own limits in its own
/// `…Limits` file and checks there how they relate to these.
package enum Limits {
    /// Plaintext bytes sealed as one AES-GCM block.
    package static let blockBytes = 64 << 10
    /// Bytes that sealing adds to a block: the GCM tag.
    package static let sealTagBytes = 16
    /// A sealed block; also the unit of the chunk store's checksums, so that a range of blocks is
    /// read, verified and opened without touching its neighbours.
    package static let sealedBlockBytes = blockBytes + sealTagBytes
    /// Plaintext bytes in one chunk, at most.
    package static let chunkBytesMax = 8 << 20
    /// Sealed bytes in one chunk, at most.
    package static let sealedChunkBytesMax = chunkBytesMax / blockBytes * sealedBlockBytes
    /// Sealed owner record that travels with a chunk, at most.
    package static let ownerRecordBytesMax = 2048
    /// Sealed bytes of an object that lives inline in the catalogue, at most.
    package static let inlineBytesMax = 8 << 10
    /// Object keys: bytes of UTF-8 (S3 API, "Creating object key names").
    package static let objectKeyBytesMax = 1024
    /// S3's limits: one PUT or part, an object, parts in an upload.
    package static let partBytesMax = 5 << 30
    package static let partBytesMin = 5 << 20
    package static let objectBytesMax = 5 << 40
    package static let partCountMax = 10_000
    /// Nodes in one cluster, at most.
    package static let nodeCountMax = 2_000

    /// Relations between limits. Run once at start-up and once in a test.
    package static func check() {
        precondition(chunkBytesMax % blockBytes == 0, "a full chunk is whole blocks")
        precondition(inlineBytesMax <= sealedBlockBytes, "an inline object is one block")
        precondition(partBytesMin <= partBytesMax, "parts have a size")
        precondition(partBytesMax <= objectBytesMax, "a part fits an object")
    }

    /// Sealed size of `plainBytes` bytes of plaintext: every begun block carries a tag.
    ///
    /// - Parameter plainBytes: 0 or more.
    package static func sealedBytes(ofPlain plainBytes: Int) -> Int {
        precondition(plainBytes >= 0)
        return plainBytes + (plainBytes + blockBytes - 1) / blockBytes * sealTagBytes
    }
}
