import Core

/// A delete that waits for its group.
struct PendingDelete: Sendable {
    let chunks: [ChunkID]
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
        do throws(ChunkStoreError) {
            if let first = chunks.first, chunks.count > ChunkStoreLimits.deleteCountMax {
                throw .invalid(first, "too many at once")
            }
            try state.withLock { state throws(ChunkStoreError) in try checkWritable(state) }
            guard deletes.offer(PendingDelete(chunks: chunks, done: done)) else {
                throw .overloaded
            }
        } catch {
            done(.failure(error))
        }
    }

    package func delete(_ chunks: [ChunkID]) async throws(ChunkStoreError) {
        let result = await withCheckedContinuation { continuation in
            delete(chunks) { continuation.resume(returning: $0) }
        }
        try result.get()
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
                try bury(Array(Set(part.flatMap(\.chunks))))
            }
            for pending in part { pending.done(result.map { _ in () }) }
            if case .success(let dead) = result { reclaim(dead) }
        }
    }

    /// - Returns: Extents whose chunks are gone: to be reclaimed.
    private func bury(_ chunks: [ChunkID]) throws(ChunkStoreError) -> [Extent] {
        try tombstoneLog.withLock { log throws(ChunkStoreError) in
            if let failure { throw .diskFailed(failure) }
            var living: [(ChunkID, ChunkLocation?)] = []
            for chunk in chunks {
                switch try entry(of: chunk) {
                case .deleted: continue
                case .stored(let location): living.append((chunk, location))
                case nil: living.append((chunk, nil))
                }
            }
            if living.isEmpty { return [] }
            let wall = clocks.wall.milliseconds
            let records = living.map { TombstoneRecord(chunk: $0.0, milliseconds: wall) }
            do throws(DiskError) {
                try log.append(records)
            } catch {
                if error != .full { poison("tombstones could not be written: \(error)") }
                throw diskFailed(error)
            }
            return apply(living, at: log.end, wall: wall)
        }
    }

    private func apply(
        _ living: [(ChunkID, ChunkLocation?)], at end: TombstonePosition, wall: Int64
    ) -> [Extent] {
        let now = clocks.monotonic.milliseconds
        return state.withLock { state in
            var dead: [Extent] = []
            for (chunk, found) in living {
                // A write may have put it there since the look-up.
                let location = state.recent[chunk]?.location ?? found
                if let extent = location?.extent {
                    state.segments.release(extent)
                    dead.append(extent)
                }
                state.recent.put(chunk, .deleted(wall), now: now)
                state.cache.remove(chunk)
                state.writing[chunk]?.isDeleted = true
                state.corrupt.removeAll { $0 == chunk }
            }
            state.tombstones = end
            state.counters.chunksDeleted += UInt64(living.count)
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
