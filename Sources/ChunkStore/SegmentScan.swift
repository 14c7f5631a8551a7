import Core

/// Finds the extents of a segment from their headers: one behind the other, and page by page where
/// the chain breaks (a write that never ended, a hole).
struct SegmentScan {
    struct Found {
        let header: ExtentHeader
        /// Whether the payload matches its checksums, as far as that was looked at.
        let isWhole: Bool
    }

    let file: any ChunkFile
    /// Headers of other segments are leftovers.
    let identity: StorageIdentity?
    let size: Int

    /// - Parameters:
    ///   - isVerifying: Reads the payloads too: all bytes from `start` on.
    /// - Returns: The end of the last whole extent, or `start`.
    func run(
        from start: Int, isVerifying: Bool, _ found: (Found) throws -> Void
    ) throws -> Int {
        var offset = start
        var end = start
        while offset + ExtentHeader.fixedBytes <= size {
            guard let header = try header(at: offset) else {
                if Mutation.isOn(.scanStopsAtHole) { break }
                guard let next = try nextPlace(after: offset) else { break }
                offset = next
                continue
            }
            let bytes = Extent.bytes(
                headerBytes: header.headerBytes, payloadBytes: header.payloadBytes)
            let isWhole = try !isVerifying || isWhole(header)
            try found(Found(header: header, isWhole: isWhole))
            // The length of a torn one is not believed.
            offset += isWhole ? bytes : ChunkStoreLimits.alignment
            if isWhole { end = offset }
        }
        return end
    }

    /// The identity that the first extent names; `nil` without any.
    func firstIdentity() throws -> StorageIdentity? {
        var offset = ChunkStoreLimits.segmentHeaderBytes
        while offset + ExtentHeader.fixedBytes <= size {
            if let header = try header(at: offset) { return header.segment }
            guard let next = try nextPlace(after: offset) else { return nil }
            offset = next
        }
        return nil
    }

    private func header(at offset: Int) throws -> ExtentHeader? {
        let bytes = try file.read(
            offset..<min(offset + ChunkStoreLimits.extentHeaderBytesMax, size))
        guard let header = bytes.withUnsafeBytes({ try? ExtentHeader.decode($0) }) else {
            return nil
        }
        guard header.offset == offset, identity == nil || header.segment == identity else {
            return nil
        }
        return header
    }

    private func nextPlace(after offset: Int) throws -> Int? {
        let next = offset + ChunkStoreLimits.alignment
        guard next < size, let data = try file.nextData(from: next) else { return nil }
        return data / ChunkStoreLimits.alignment * ChunkStoreLimits.alignment
    }

    private func isWhole(_ header: ExtentHeader) throws -> Bool {
        let start = header.offset + header.headerBytes
        guard start + header.payloadBytes <= size else { return false }
        for (block, checksum) in header.checksums.enumerated() {
            let first = block * Limits.sealedBlockBytes
            let count = min(Limits.sealedBlockBytes, header.payloadBytes - first)
            let bytes = try file.read(start + first..<start + first + count)
            guard bytes.count == count, CRC32C.of(bytes) == checksum else { return false }
        }
        return true
    }
}
