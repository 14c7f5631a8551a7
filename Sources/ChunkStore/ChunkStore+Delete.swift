import Core

/// A delete that waits for its group.
struct PendingDelete: Sendable {
    let chunks: [ChunkID]
    let kind: TombstoneRecord.Kind
    let done: @Sendable (Result<Void, ChunkStoreError>) -> Void
}

extension ChunkStore {
    /// Deletes chunks for good, also such that are not here: none of the ids can be written again.
    /// Returns at once; `done` is called when the tombstones are on stable storage.
    ///
    /// - Parameter chunks: At most ``ChunkStoreLimits/deleteCountMax``.
    package func delete(
        _ chunks: [ChunkID], done: @escaping @Sendable (Result<Void, ChunkStoreError>) -> Void
    ) {
        bury(chunks, as: .deleted, done: done)
    }

    package func delete(_ chunks: [ChunkID]) async throws(ChunkStoreError) {
        let result = await withCheckedContinuation { continuation in
            delete(chunks) { continuation.resume(returning: $0) }
        }
        try result.get()
    }

    /// Removes this node's copies without tombstones: the chunks belong to other nodes now, and may
    /// be written again. Chunks that are not here or were deleted stay as they are, and so does a
    /// copy that is written meanwhile. When this returns the copies are gone for good; a crash
    /// before may leave some.
    ///
    /// - Parameter chunks: At most ``ChunkStoreLimits/deleteCountMax``.
    package func drop(_ chunks: [ChunkID]) async throws(ChunkStoreError) {
        let result = await withCheckedContinuation { continuation in
            bury(chunks, as: .dropped) { continuation.resume(returning: $0) }
        }
        try result.get()
    }

    private func bury(
        _ chunks: [ChunkID], as kind: TombstoneRecord.Kind,
        done: @escaping @Sendable (Result<Void, ChunkStoreError>) -> Void
    ) {
        do throws(ChunkStoreError) {
            if let first = chunks.first, chunks.count > ChunkStoreLimits.deleteCountMax {
                throw .invalid(first, "too many at once")
            }
            try state.withLock { state throws(ChunkStoreError) in try checkWritable(state) }
            guard deletes.offer(PendingDelete(chunks: chunks, kind: kind, done: done)) else {
                throw .overloaded
            }
        } catch {
            done(.failure(error))
        }
    }

    /// Writes the tombstones of a group with one sync. On the delete thread.
    func delete(_ group: [PendingDelete]) {
        var group = group[...]
        let most = tombstoneLog.withLock { $0.recordsPerFile }
        while !group.isEmpty {
            var part: [PendingDelete] = []
            var count = 0
            while let next = group.first, count + next.chunks.count <= most {
                part.append(next)
                count += next.chunks.count
                group = group.dropFirst()
            }
            let result = Result { () throws(ChunkStoreError) in try bury(part) }
            offerMaintenance { $0.reclaim() }
            for pending in part { pending.done(result) }
            let isFarBehind = state.withLock {
                $0.buried.count >= ChunkStoreLimits.buriedMax
            }
            if isFarBehind { reclaim() }
        }
    }

    private func bury(_ part: [PendingDelete]) throws(ChunkStoreError) {
        // Deleted outlasts dropped.
        var kinds: [ChunkID: TombstoneRecord.Kind] = [:]
        for pending in part {
            for chunk in pending.chunks where kinds[chunk] != .deleted {
                kinds[chunk] = pending.kind
            }
        }
        let wall = clocks.wall.milliseconds
        try tombstoneLog.withLock { log throws(ChunkStoreError) in
            if let failure { throw .diskFailed(failure) }
            var records: [TombstoneRecord] = []
            for (chunk, kind) in kinds.sorted(by: { $0.key < $1.key }) {
                let entry = try entry(of: chunk)
                if case .deleted = entry { continue }
                if kind == .dropped, entry?.location == nil { continue }
                let place = state.withLock { state in
                    (entry?.location?.extent).map { Self.place(of: $0, in: state) }
                }
                records.append(
                    TombstoneRecord(kind: kind, chunk: chunk, milliseconds: wall, place: place))
            }
            do throws(DiskError) {
                // Other copies of the chunks must go with these: those that are stale already,
                // and those that have become so meanwhile.
                try recordStale(&log)
                if records.isEmpty { return }
                try log.append(records)
                apply(records, at: log.end)
                try recordStale(&log)
            } catch {
                if error != .full { poison("tombstones could not be written: \(error)") }
                throw diskFailed(error)
            }
        }
    }

    private func apply(_ records: [TombstoneRecord], at end: TombstonePosition) {
        let now = clocks.monotonic.milliseconds
        state.withLock { state in
            for record in records {
                let chunk = record.chunk
                let found = record.place?.extent
                // A write may have put it elsewhere since the look-up.
                let extent = state.recent[chunk]?.location?.extent ?? found
                if let found { state.buried.append(found) }
                switch record.kind {
                case .deleted:
                    state.recent.put(chunk, .deleted(record.milliseconds), now: now)
                    state.writing[chunk]?.isDeleted = true
                    state.counters.chunksDeleted += 1
                    if let extent, extent != found { Self.addStale(chunk, extent, in: &state) }
                case .dropped:
                    // The drop is of the copy that it names: one that has come since stays.
                    guard extent == found else { continue }
                    state.recent.put(chunk, .dropped, now: now)
                    state.writing[chunk]?.isCommitted = false
                    state.writing[chunk]?.isDropped = true
                    state.counters.chunksDropped += 1
                }
                if let extent { state.segments.release(extent) }
                state.cache.remove(chunk)
                state.corrupt.removeAll { $0 == chunk }
            }
            state.tombstones = end
            state.counters.deleteGroups += 1
            state.counters.tombstoneSyncs += 1
        }
    }
}
