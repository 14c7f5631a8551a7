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
    /// come back. Chunks that are not here or were deleted stay as they are. A crash meanwhile may
    /// leave some.
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
        let most =
            (ChunkStoreLimits.tombstoneFileBytes - SegmentHeader.byteCount)
            / TombstoneRecord.byteCount
        while !group.isEmpty {
            var part: [PendingDelete] = []
            var count = 0
            while let next = group.first, count + next.chunks.count <= most {
                part.append(next)
                count += next.chunks.count
                group = group.dropFirst()
            }
            let result = Result { () throws(ChunkStoreError) in
                try bury(part)
            }
            for pending in part { pending.done(result.map { _ in () }) }
            if case .success(let dead) = result { reclaim(dead) }
        }
    }

    /// - Returns: Extents whose chunks are gone: to be reclaimed.
    private func bury(_ part: [PendingDelete]) throws(ChunkStoreError) -> [Extent] {
        // Deleted outlasts dropped.
        var kinds: [ChunkID: TombstoneRecord.Kind] = [:]
        for pending in part {
            for chunk in pending.chunks where kinds[chunk] != .deleted {
                kinds[chunk] = pending.kind
            }
        }
        let wall = clocks.wall.milliseconds
        return try tombstoneLog.withLock { log throws(ChunkStoreError) in
            if let failure { throw .diskFailed(failure) }
            var found: [ChunkLocation?] = []
            var records: [TombstoneRecord] = []
            for (chunk, kind) in kinds {
                let entry = try entry(of: chunk)
                if case .deleted = entry { continue }
                if kind == .dropped, entry?.location == nil { continue }
                found.append(entry?.location)
                records.append(
                    TombstoneRecord(kind: kind, chunk: chunk, milliseconds: wall))
            }
            if records.isEmpty { return [] }
            do throws(DiskError) {
                try log.append(records)
            } catch {
                if error != .full { poison("tombstones could not be written: \(error)") }
                throw diskFailed(error)
            }
            return apply(records, found: found, at: log.end)
        }
    }

    private func apply(
        _ records: [TombstoneRecord], found: [ChunkLocation?], at end: TombstonePosition
    ) -> [Extent] {
        let now = clocks.monotonic.milliseconds
        return state.withLock { state in
            var dead: [Extent] = []
            for (record, found) in zip(records, found) {
                let chunk = record.chunk
                // A write may have put it there since the look-up.
                let location = state.recent[chunk]?.location ?? found
                if let extent = location?.extent {
                    state.segments.release(extent)
                    dead.append(extent)
                }
                state.cache.remove(chunk)
                state.corrupt.removeAll { $0 == chunk }
                switch record.kind {
                case .deleted:
                    state.recent.put(chunk, .deleted(record.milliseconds), now: now)
                    state.writing[chunk]?.isDeleted = true
                    state.counters.chunksDeleted += 1
                case .dropped:
                    state.recent.put(chunk, .dropped, now: now)
                    state.writing[chunk]?.isCommitted = false
                    state.writing[chunk]?.isDropped = true
                    state.counters.chunksDropped += 1
                }
            }
            state.tombstones = end
            state.counters.deleteGroups += 1
            state.counters.tombstoneSyncs += 1
            return dead
        }
    }

    /// Gives the space of extents back: by removing a segment where nothing lives, else by holes.
    func reclaim(_ extents: [Extent]) {
        for (number, dead) in Dictionary(grouping: extents, by: \.segment) {
            if removeIfDead(number) { continue }
            do {
                let file = try files.file(number)
                for extent in dead { try file.punch(extent.range) }
                count { $0.extentsPunched += UInt64(dead.count) }
            } catch {
                // The space stays taken until the segment goes; nothing else depends on it.
                count { $0.punchFailures += 1 }
            }
        }
    }

    /// - Returns: Whether the segment is gone.
    func removeIfDead(_ number: UInt32) -> Bool {
        guard state.withLock({ $0.segments.removeIfDead(number) }) else {
            return state.withLock { $0.segments[number] == nil }
        }
        files.remove(number)
        count { $0.segmentsRemoved += 1 }
        do {
            try disk.remove(SegmentHeader.fileName(number))
        } catch {
            count { $0.punchFailures += 1 }
        }
        return true
    }
}
