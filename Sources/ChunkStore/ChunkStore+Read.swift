import Core

/// An open chunk: its header was read and verified. Blocks are read and verified one range at a
/// time. Stays readable until the chunk is deleted.
package struct ChunkReader: Sendable {
    let store: ChunkStore
    let header: ExtentHeader
    let location: ChunkLocation
    let file: any ChunkFile

    package var chunk: ChunkID { header.chunk }
    /// Sealed bytes of the whole chunk.
    package var bytes: Int { header.payloadBytes }
    package var owner: [UInt8] { header.owner }
    package var blockCount: Int { header.checksums.count }

    /// Bytes of a range of blocks; the last block may be short.
    package func byteRange(of blocks: Range<Int>) -> Range<Int> {
        precondition(blocks.lowerBound >= 0 && blocks.upperBound <= blockCount)
        let size = Limits.sealedBlockBytes
        return min(blocks.lowerBound * size, bytes)..<min(blocks.upperBound * size, bytes)
    }

    /// Reads blocks and verifies each. Blocks the thread.
    ///
    /// - Parameter buffer: Of the size of ``byteRange(of:)``; its content is undefined after an
    ///   error.
    package func read(
        _ blocks: Range<Int>, into buffer: UnsafeMutableRawBufferPointer
    ) throws(ChunkStoreError) {
        let range = byteRange(of: blocks)
        precondition(buffer.count == range.count, "the buffer fits the blocks")
        do {
            let count = try file.read(
                into: buffer, at: location.offset + location.headerBytes + range.lowerBound)
            guard count == range.count else { throw store.isCorrupt(chunk, at: location) }
        } catch let error as ChunkStoreError {
            throw error
        } catch {
            throw store.isUnreadable(chunk, at: location)
        }
        guard verify(blocks, UnsafeRawBufferPointer(buffer)) else {
            throw store.isCorrupt(chunk, at: location)
        }
        store.count { $0.bytesRead += UInt64(range.count) }
    }

    /// The same for what is in memory already; never waits for the disk.
    ///
    /// - Returns: `false` where reading would wait, or where something is wrong: read it properly.
    package func readCached(
        _ blocks: Range<Int>, into buffer: UnsafeMutableRawBufferPointer
    ) -> Bool {
        let range = byteRange(of: blocks)
        precondition(buffer.count == range.count, "the buffer fits the blocks")
        let offset = location.offset + location.headerBytes + range.lowerBound
        guard file.readCached(into: buffer, at: offset),
            verify(blocks, UnsafeRawBufferPointer(buffer))
        else { return false }
        store.count { $0.bytesRead += UInt64(range.count) }
        return true
    }

    /// The same in an array.
    package func read(_ blocks: Range<Int>) throws(ChunkStoreError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteRange(of: blocks).count)
        let result = bytes.withUnsafeMutableBytes { raw in
            Result { () throws(ChunkStoreError) in try read(blocks, into: raw) }
        }
        try result.get()
        return bytes
    }

    private func verify(_ blocks: Range<Int>, _ bytes: UnsafeRawBufferPointer) -> Bool {
        if Mutation.isOn(.readUnverified) || Mutation.isOn(.serveUnchecked) { return true }
        var offset = 0
        for block in blocks {
            let count = min(Limits.sealedBlockBytes, bytes.count - offset)
            guard CRC32C.of(bytes.part(offset..<offset + count)) == header.checksums[block] else {
                return false
            }
            offset += count
        }
        return true
    }
}

extension ChunkStore {
    /// Opens a chunk for reading. Blocks.
    ///
    /// - Throws: ``ChunkStoreError/notFound(_:)``, ``ChunkStoreError/deleted(_:)``,
    ///   ``ChunkStoreError/corrupt(_:)`` for a header that is not what was written.
    package func open(_ chunk: ChunkID) throws(ChunkStoreError) -> ChunkReader {
        if let location = known(chunk), let reader = try? reader(chunk, at: location) {
            return reader
        }
        switch try entry(of: chunk) {
        case nil, .dropped: throw .notFound(chunk)
        case .deleted: throw .deleted(chunk)
        case .stored(let location):
            let reader = try reader(chunk, at: location)
            state.withLock { $0.cache.put(chunk, location) }
            return reader
        }
    }

    /// Opens a chunk if that takes no waiting for the disk: may be called on an event loop.
    package func openCached(_ chunk: ChunkID) -> ChunkReader? {
        guard let location = known(chunk), let file = try? files.file(location.segment) else {
            return nil
        }
        let header = withUnsafeTemporaryAllocation(
            byteCount: location.headerBytes, alignment: 8
        ) { raw -> ExtentHeader? in
            guard file.readCached(into: raw, at: location.offset) else { return nil }
            return try? ExtentHeader.decode(UnsafeRawBufferPointer(raw))
        }
        guard let header, header.fits(chunk, location) else { return nil }
        count { $0.chunksOpened += 1 }
        return ChunkReader(store: self, header: header, location: location, file: file)
    }

    /// The place by what is in memory; perhaps stale.
    private func known(_ chunk: ChunkID) -> ChunkLocation? {
        state.withLock { state in
            if let recent = state.recent[chunk] { return recent.location }
            return state.cache.location(of: chunk)
        }
    }

    private func reader(
        _ chunk: ChunkID, at location: ChunkLocation
    ) throws(ChunkStoreError) -> ChunkReader {
        let file: any ChunkFile
        let bytes: [UInt8]
        do {
            file = try files.file(location.segment)
            bytes = try file.read(location.offset..<location.offset + location.headerBytes)
        } catch {
            throw isUnreadable(chunk, at: location)
        }
        let header = bytes.withUnsafeBytes { try? ExtentHeader.decode($0) }
        guard let header, header.fits(chunk, location) else {
            throw isCorrupt(chunk, at: location)
        }
        count { $0.chunksOpened += 1 }
        return ChunkReader(store: self, header: header, location: location, file: file)
    }

    /// Something else stands where the chunk should be: it was deleted or replaced meanwhile, or it
    /// is corrupt. Blocks.
    func isCorrupt(_ chunk: ChunkID, at location: ChunkLocation) -> ChunkStoreError {
        do throws(ChunkStoreError) {
            switch try entry(of: chunk) {
            case nil, .dropped: return .notFound(chunk)
            case .deleted: return .deleted(chunk)
            case .stored(let now):
                state.withLock { state in
                    state.cache.remove(chunk)
                    guard now == location else { return }
                    state.counters.corruptBlocks += 1
                    if !state.corrupt.contains(chunk) {
                        state.corrupt.append(chunk)
                        if state.corrupt.count > Self.corruptNamesMax {
                            state.corrupt.removeFirst()
                        }
                    }
                }
                return .corrupt(chunk)
            }
        } catch {
            return error
        }
    }

    /// The disk can't read there: as good as corrupt for the caller.
    func isUnreadable(_ chunk: ChunkID, at location: ChunkLocation) -> ChunkStoreError {
        isCorrupt(chunk, at: location)
    }

    private static var corruptNamesMax: Int { 16 }
}

extension ExtentHeader {
    func fits(_ chunk: ChunkID, _ location: ChunkLocation) -> Bool {
        self.chunk == chunk && offset == location.offset && payloadBytes == location.payloadBytes
            && headerBytes == location.headerBytes
    }
}
