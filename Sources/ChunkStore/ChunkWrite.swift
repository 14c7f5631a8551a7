import Core
import Synchronization

/// A chunk on its way in: pieces in order, then commit. One caller at a time; exactly one of
/// ``commit(_:)`` and ``abort()`` ends it.
package final class ChunkWrite: Sendable {
    private struct State: ~Copyable {
        var writtenBytes = 0
        /// Of the block that is not full yet.
        var blockChecksum = CRC32C()
        var checksums: [UInt32] = []
        var hasHeader = false
        /// `nil` once ended.
        var pages: ExtentPages?
        var isEnded: Bool { pages == nil }
    }

    private let store: ChunkStore
    private let header: ExtentHeader
    private let extent: Extent
    private let replaces: Bool
    private let state: Mutex<State>

    package var chunk: ChunkID { header.chunk }

    init(
        store: ChunkStore, header: ExtentHeader, extent: Extent, file: any ChunkFile,
        replaces: Bool
    ) {
        self.store = store
        self.header = header
        self.extent = extent
        self.replaces = replaces
        state = Mutex(
            State(
                pages: ExtentPages(
                    file: file, extent: extent, headerBytes: header.headerBytes,
                    pool: store.pageMemory)))
    }

    deinit { abort() }

    /// Writes the next bytes. Blocks.
    ///
    /// - Throws: ``ChunkStoreError/invalid(_:_:)`` for more bytes than announced; then, as after
    ///   any error, ``abort()`` follows.
    package func append(_ bytes: UnsafeRawBufferPointer) throws(ChunkStoreError) {
        try state.withLock { state throws(ChunkStoreError) in
            precondition(!state.isEnded, "a write that has ended takes no bytes")
            guard state.writtenBytes + bytes.count <= header.payloadBytes else {
                throw .invalid(chunk, "more bytes than announced")
            }
            if let failure = store.failure { throw .diskFailed(failure) }
            Self.add(bytes, to: &state)
            do throws(DiskError) {
                try state.pages?.append(bytes)
            } catch {
                if error != .full { store.poison("a write failed: \(error)") }
                throw store.diskFailed(error)
            }
            state.writtenBytes += bytes.count
        }
    }

    private static func add(_ bytes: UnsafeRawBufferPointer, to state: inout State) {
        var rest = bytes
        var inBlock = state.writtenBytes % Limits.sealedBlockBytes
        while !rest.isEmpty {
            let count = min(rest.count, Limits.sealedBlockBytes - inBlock)
            state.blockChecksum.update(rest.part(0..<count))
            rest = rest.part(count..<rest.count)
            inBlock += count
            if inBlock == Limits.sealedBlockBytes {
                state.checksums.append(state.blockChecksum.value)
                state.blockChecksum = CRC32C()
                inBlock = 0
            }
        }
    }

    /// Writes the header and waits for the group: `done` is called, on a thread of the store, when
    /// the chunk is on stable storage or has failed. Blocks for the last bytes.
    package func commit(_ done: @escaping ChunkWriteDone) {
        let result = state.withLock { state -> Result<Void, ChunkStoreError> in
            precondition(!state.isEnded, "a write ends once")
            guard state.writtenBytes == header.payloadBytes else {
                return .failure(.invalid(chunk, "fewer bytes than announced"))
            }
            if state.writtenBytes % Limits.sealedBlockBytes != 0 {
                state.checksums.append(state.blockChecksum.value)
            }
            var header = header
            header.checksums = state.checksums
            state.hasHeader = true
            do throws(DiskError) {
                try state.pages?.finish(header: header.encoded())
            } catch {
                if error != .full { store.poison("a write failed: \(error)") }
                return .failure(store.diskFailed(error))
            }
            state.pages = nil
            return .success(())
        }
        if case .failure(let error) = result {
            abort()
            return done(.failure(error))
        }
        let pending = PendingCommit(
            chunk: chunk, headerBytes: header.headerBytes, payloadBytes: header.payloadBytes,
            replaces: replaces, source: .streamed(extent), done: done)
        let kind = SegmentKind(payloadBytes: header.payloadBytes)
        if !store.committers[kind]!.offer(pending) {
            giveBack(hasHeader: true)
            done(.failure(.overloaded))
        }
    }

    /// The same, waiting.
    package func commit() async throws(ChunkStoreError) -> ChunkWriteOutcome {
        let result = await withCheckedContinuation { continuation in
            commit { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// Gives the extent back. No effect once ended.
    package func abort() {
        let (isFirst, hasHeader) = state.withLock { state in
            defer { state.pages = nil }
            return (!state.isEnded, state.hasHeader)
        }
        if isFirst { giveBack(hasHeader: hasHeader) }
    }

    private func giveBack(hasHeader: Bool) {
        store.state.withLock { ChunkStore.end(chunk, in: &$0) }
        store.giveUp(extent, of: chunk, hasHeader ? .header : .payload)
    }
}
