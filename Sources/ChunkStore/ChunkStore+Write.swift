import Core

/// The end of a write: what it came to, on one of the store's threads.
package typealias ChunkWriteDone = @Sendable (Result<ChunkWriteOutcome, ChunkStoreError>) -> Void

package enum ChunkWriteOutcome: Sendable, Equatable {
    /// On stable storage, written now.
    case written
    /// On stable storage since before: nothing was written.
    case known
}

/// A write that waits for its group.
struct PendingCommit: Sendable {
    enum Source: Sendable {
        /// Header and payload in memory; nothing is on the disk yet.
        case image(ExtentImage)
        /// Payload and header have been written to the extent.
        case streamed(Extent)
    }

    let chunk: ChunkID
    let headerBytes: Int
    let payloadBytes: Int
    let replaces: Bool
    let source: Source
    let done: ChunkWriteDone

    var extentBytes: Int {
        Extent.bytes(headerBytes: headerBytes, payloadBytes: payloadBytes)
    }
}

/// The bytes of a small extent, header first, in memory that stays where it is.
final class ExtentImage: Sendable {
    // Written in `init` and by `finish` on the commit thread alone; read by the disk.
    private nonisolated(unsafe) let memory: UnsafeMutableRawBufferPointer
    let header: ExtentHeader

    init(header: ExtentHeader, payload: UnsafeRawBufferPointer) {
        self.header = header
        let bytes = Extent.bytes(headerBytes: header.headerBytes, payloadBytes: payload.count)
        memory = .allocate(byteCount: bytes, alignment: 16)
        let end = header.headerBytes + payload.count
        UnsafeMutableRawBufferPointer(rebasing: memory[header.headerBytes..<end])
            .copyMemory(from: payload)
        UnsafeMutableRawBufferPointer(rebasing: memory[end...]).initializeMemory(
            as: UInt8.self, repeating: 0)
    }

    deinit { memory.deallocate() }

    /// Completes the header now that the place is known.
    func finish(segment: StorageIdentity, offset: Int) -> UnsafeRawBufferPointer {
        var header = header
        header.segment = segment
        header.offset = offset
        memory.copyBytes(from: header.encoded())
        return UnsafeRawBufferPointer(memory)
    }
}

extension ChunkStore {
    /// Writes a small chunk as a whole: returns at once; `done` is called when it is on stable
    /// storage or has failed, perhaps before this returns. Never waits for the disk.
    ///
    /// - Parameters:
    ///   - payload: Sealed blocks, 1...``ChunkStoreLimits/smallBytesMax`` bytes; copied.
    ///   - owner: At most ``Limits/ownerRecordBytesMax`` bytes, opaque.
    ///   - replacing: Writes although the chunk is here: for a copy that is corrupt.
    package func write(
        _ chunk: ChunkID, owner: [UInt8], payload: UnsafeRawBufferPointer,
        replacing: Bool = false, done: @escaping ChunkWriteDone
    ) {
        do throws(ChunkStoreError) {
            guard payload.count <= ChunkStoreLimits.smallBytesMax else {
                throw .invalid(chunk, "too long for a small write")
            }
            let headerBytes = try check(chunk, bytes: payload.count, owner: owner)
            let extentBytes = Extent.bytes(
                headerBytes: headerBytes, payloadBytes: payload.count)
            try begin(chunk, extentBytes: extentBytes, imageBytes: extentBytes)
            let header = ExtentHeader(
                chunk: chunk, segment: StorageIdentity(high: 0, low: 0), offset: 0,
                payloadBytes: payload.count, checksums: Self.checksums(of: payload),
                owner: owner)
            let pending = PendingCommit(
                chunk: chunk, headerBytes: headerBytes, payloadBytes: payload.count,
                replaces: replacing,
                source: .image(ExtentImage(header: header, payload: payload)), done: done)
            guard committers[.small]!.offer(pending) else {
                state.withLock { state in
                    Self.end(chunk, in: &state)
                    state.segments.breakPromise(extentBytes)
                    state.waitingImageBytes -= extentBytes
                }
                throw .overloaded
            }
        } catch {
            done(.failure(error))
        }
    }

    /// The same, with the bytes in an array.
    package func write(
        _ chunk: ChunkID, owner: [UInt8], payload: [UInt8], replacing: Bool = false
    ) async throws(ChunkStoreError) -> ChunkWriteOutcome {
        let result = await withCheckedContinuation { continuation in
            payload.withUnsafeBytes { raw in
                write(chunk, owner: owner, payload: raw, replacing: replacing) {
                    continuation.resume(returning: $0)
                }
            }
        }
        return try result.get()
    }

    private static func checksums(of payload: UnsafeRawBufferPointer) -> [UInt32] {
        stride(from: 0, to: payload.count, by: Limits.sealedBlockBytes).map { start in
            CRC32C.of(
                payload.part(start..<min(start + Limits.sealedBlockBytes, payload.count)))
        }
    }

    /// Begins a write whose bytes come in pieces: looks the chunk up and takes an extent. Blocks.
    ///
    /// - Returns: `nil` if the chunk is here already, whole, with this length.
    package func beginWrite(
        _ chunk: ChunkID, bytes: Int, owner: [UInt8], replacing: Bool = false
    ) throws(ChunkStoreError) -> ChunkWrite? {
        let headerBytes = try check(chunk, bytes: bytes, owner: owner)
        let extentBytes = Extent.bytes(headerBytes: headerBytes, payloadBytes: bytes)
        try begin(chunk, extentBytes: extentBytes, imageBytes: 0)
        var isTaken = false
        defer {
            if !isTaken {
                state.withLock { state in
                    Self.end(chunk, in: &state)
                    state.segments.breakPromise(extentBytes)
                }
            }
        }
        if try isKnown(chunk, bytes: bytes, entry: try entry(of: chunk), replacing: replacing) {
            count { $0.chunksKnown += 1 }
            return nil
        }
        let extent = try take(extentBytes, kind: SegmentKind(payloadBytes: bytes))
        guard let segment = state.withLock({ $0.segments[extent.segment]?.identity }) else {
            preconditionFailure("a segment with a reserved extent stays")
        }
        let file: any ChunkFile
        do {
            file = try files.file(extent.segment)
        } catch {
            giveUp(extent, of: chunk, .nothing)
            isTaken = true
            state.withLock { Self.end(chunk, in: &$0) }
            throw diskFailed(error)
        }
        isTaken = true
        let header = ExtentHeader(
            chunk: chunk, segment: segment, offset: extent.offset, payloadBytes: bytes,
            checksums: [], owner: owner)
        return ChunkWrite(
            store: self, header: header, extent: extent, file: file, replaces: replacing)
    }

    // MARK: Shared by both

    /// - Returns: Bytes of the extent's header.
    private func check(
        _ chunk: ChunkID, bytes: Int, owner: [UInt8]
    ) throws(ChunkStoreError) -> Int {
        guard bytes > 0, bytes <= Limits.sealedChunkBytesMax else {
            throw .invalid(chunk, "a chunk has 1 to \(Limits.sealedChunkBytesMax) bytes")
        }
        guard owner.count <= Limits.ownerRecordBytesMax else {
            throw .invalid(chunk, "the owner record is too long")
        }
        return ExtentHeader.headerBytes(payloadBytes: bytes, ownerBytes: owner.count)
    }

    /// Registers the write and promises its room.
    private func begin(
        _ chunk: ChunkID, extentBytes: Int, imageBytes: Int
    ) throws(ChunkStoreError) {
        try state.withLock { state throws(ChunkStoreError) in
            try checkWritable(state)
            let waiting = state.waitingImageBytes + imageBytes
            guard waiting <= ChunkStoreLimits.waitingImageBytesMax else { throw .overloaded }
            guard state.stale.count < ChunkStoreLimits.staleCopiesMax,
                state.segments.promise(extentBytes, capacity: capacityBytes)
            else { throw .full }
            state.waitingImageBytes = waiting
            state.writing[chunk, default: Writing()].count += 1
        }
    }

    /// Forgets a write that has ended.
    static func end(_ chunk: ChunkID, in state: inout State) {
        guard var writing = state.writing[chunk] else {
            preconditionFailure("a write ends once")
        }
        writing.count -= 1
        state.writing[chunk] = writing.count == 0 ? nil : writing
    }

    /// - Returns: Whether there is nothing to do.
    func isKnown(
        _ chunk: ChunkID, bytes: Int, entry: ChunkEntry?, replacing: Bool
    ) throws(ChunkStoreError) -> Bool {
        switch entry {
        case nil, .dropped: return false
        case .deleted: throw .deleted(chunk)
        case .stored(let location):
            guard location.payloadBytes == bytes else {
                throw .invalid(chunk, "it is stored with \(location.payloadBytes) bytes")
            }
            return !replacing
        }
    }

    /// Takes an extent that was promised; makes a segment where needed. Blocks.
    func take(_ bytes: Int, kind: SegmentKind) throws(ChunkStoreError) -> Extent {
        if let extent = state.withLock({ $0.segments.take(bytes, kind: kind) }) { return extent }
        return try creation.withLock { _ throws(ChunkStoreError) in
            while true {
                let extent = state.withLock { $0.segments.take(bytes, kind: kind) }
                if let extent { return extent }
                try makeSegment(kind)
            }
        }
    }

    private func makeSegment(_ kind: SegmentKind) throws(ChunkStoreError) {
        let (number, preallocated) = state.withLock {
            ($0.segments.takeNumber(), $0.segments.preallocatedBytes)
        }
        var random = Randomness.system
        let header = SegmentHeader(
            kind: kind, number: number, store: identity, identity: .random(using: &random),
            bytes: segmentBytes)
        do throws(DiskError) {
            let reserve = ChunkStoreLimits.reserveBytes(capacity: capacityBytes)
            let free = try disk.freeBytes()
            state.withLock { $0.diskFreeBytes = free }
            guard free + preallocated >= segmentBytes + reserve else { throw DiskError.full }
            let file = try disk.create(SegmentHeader.fileName(number), bytes: segmentBytes)
            try file.write(header.encoded(), at: 0)
            try file.sync()
            files.put(number, file)
        } catch {
            if error != .full { poison("a segment could not be made: \(error)") }
            throw diskFailed(error)
        }
        state.withLock { state in
            state.segments.add(
                number,
                SegmentTable.Segment(
                    identity: header.identity, kind: kind, bytes: segmentBytes,
                    next: ChunkStoreLimits.segmentHeaderBytes))
            state.segments.activate(number)
            state.counters.segmentsCreated += 1
        }
    }

    /// What a write that came to nothing may have left in its extent.
    enum Remains {
        case nothing
        /// Bytes that no scan takes for a chunk: a power loss may keep them from being freed.
        case payload
        case header
    }

    /// Ends an extent without a chunk in it.
    func giveUp(_ extent: Extent, of chunk: ChunkID, _ remains: Remains) {
        state.withLock { state in
            state.segments.end(extent, isAlive: false)
            switch remains {
            case .nothing: break
            case .payload: state.buried.append(extent)
            case .header: Self.addStale(chunk, extent, in: &state)
            }
        }
        if remains != .nothing { offerMaintenance { $0.reclaim() } }
    }

    func diskFailed(_ error: DiskError) -> ChunkStoreError {
        switch error {
        case .full: .full
        case .notFound(let path): .diskFailed("\(path) is gone")
        case .failed(let reason): .diskFailed(reason)
        }
    }
}
