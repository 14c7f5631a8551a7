import Core

extension ChunkStore {
    /// What is to be done now and then: call it about every second. Brings the index up to date,
    /// seals full segments, syncs holes, keeps a tombstone file ahead, lets old ones go, looks how
    /// much room the disk has.
    package func maintain() async {
        await runMaintenance { store in
            if let free = try? store.disk.freeBytes() {
                store.state.withLock { $0.diskFreeBytes = free }
            }
            let isDue = store.state.withLock { state in
                state.recent.isDue(now: store.clocks.monotonic.milliseconds)
                    || !state.recent.frozen.isEmpty
            }
            store.reclaim()
            let now = store.clocks.monotonic.milliseconds
            if store.holes.withLock({ $0.isDue(now: now) }) { store.syncHoles() }
            if isDue { store.flush() }
            store.sealRetired()
            store.prepareTombstones()
            store.expireTombstones()
        }
    }

    /// Brings the index up to date, unless the disk failed: then the next start does it from what
    /// is there. Blocks.
    package func flush() {
        tombstoneLog.withLock { log in
            guard failure == nil else { return }
            var batch = IndexBatch()
            let recent = state.withLock { state in
                (batch.marks, batch.removedSegments) = state.segments.takeChanges()
                if state.reclaimed > state.indexed { batch.tombstones = state.reclaimed }
                return state.recent.freeze()
            }
            if recent.isEmpty, batch.marks.isEmpty, batch.removedSegments.isEmpty,
                batch.tombstones == nil
            {
                return
            }
            // In order of the key: neighbours share pages.
            batch.entries = recent.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
            do {
                // The marks pass them, or their rows go: a record must name them before.
                try recordStale(&log)
                try index.write(batch)
                state.withLock { state in
                    state.recent.thaw()
                    state.indexed = batch.tombstones ?? state.indexed
                    state.counters.indexWrites += 1
                }
            } catch {
                state.withLock {
                    $0.segments.restoreChanges(batch.marks, removed: batch.removedSegments)
                }
                // A full disk passes; until then the changes stay in memory, up to a bound.
                if let error = error as? DiskError {
                    if error != .full { poison("stale copies could not be noted: \(error)") }
                } else if !Recovery.isFull(error) {
                    _ = indexFailed(error)
                }
            }
        }
    }

    /// Seals full segments in which no write is under way: gives back what was not used and notes
    /// that each header in it belongs to a whole chunk.
    private func sealRetired() {
        let ready = state.withLock { state in
            state.segments.retired.filter { state.segments[$0]?.reserved.isEmpty ?? false }
        }
        for number in ready where failure == nil {
            if removeIfDead(number) { continue }
            guard failure == nil, let segment = state.withLock({ $0.segments[number] }) else {
                continue
            }
            let header = SegmentHeader(
                kind: segment.kind, number: number, store: identity, identity: segment.identity,
                bytes: segment.bytes, isSealed: true)
            do {
                let file = try files.file(number)
                try file.sync()
                try file.write(header.encoded(), at: 0)
                try file.truncate(to: segment.next)
                try file.sync()
                state.withLock { $0.segments.sealed(number) }
            } catch {
                if error != .full { poison("a segment could not be sealed: \(error)") }
            }
        }
    }

    /// Keeps the tombstone file in use and the one after it there. A full disk passes; until then
    /// deletes go into what is there.
    private func prepareTombstones() {
        guard failure == nil else { return }
        do {
            try tombstoneLog.withLock { log throws(DiskError) in try log.prepare() }
        } catch {
            if error != .full { poison("a tombstone file could not be made: \(error)") }
        }
    }

    private func expireTombstones() {
        let cutoff = clocks.wall.milliseconds - ChunkStoreLimits.tombstoneMilliseconds
        let last = TombstonePosition(file: .max, offset: 0)
        let isAny = tombstoneLog.withLock { !$0.expired(before: cutoff, last).isEmpty }
        guard isAny, failure == nil else { return }
        // What was punched must be so for good, and the index must not fall back behind, before
        // the tombstone goes.
        syncHoles()
        flush()
        guard failure == nil else { return }
        do {
            try tombstoneLog.withLock { log in
                let position = state.withLock { $0.indexed }
                let expired = log.expired(before: cutoff, position)
                if expired.isEmpty { return }
                for number in expired {
                    try index.forgetTombstones(
                        try log.deleted(inFile: number), before: cutoff)
                }
                try index.makeDurable()
                for number in expired { try log.removeFile(number) }
            }
        } catch {
            // They go the next time.
            count { $0.expiryFailures += 1 }
        }
    }
}
