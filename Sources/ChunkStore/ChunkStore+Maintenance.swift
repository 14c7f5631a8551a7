import Core

extension ChunkStore {
    /// What is to be done now and then: call it about every second. Brings the index up to date,
    /// seals full segments, lets old tombstones go, looks how much room the disk has.
    package func maintain() async {
        await runMaintenance { store in
            if let free = try? store.disk.freeBytes() {
                store.state.withLock { $0.diskFreeBytes = free }
            }
            let isDue = store.state.withLock { state in
                state.recent.isDue(now: store.clocks.monotonic.milliseconds)
                    || !state.recent.frozen.isEmpty
            }
            if isDue { store.flush() }
            store.sealRetired()
            store.expireTombstones()
        }
    }

    /// Brings the index up to date. Blocks.
    package func flush() {
        tombstoneLog.withLock { _ in
            var batch = IndexBatch()
            let recent = state.withLock { state in
                (batch.marks, batch.removedSegments) = state.segments.takeChanges()
                batch.tombstones = state.tombstones
                return state.recent.freeze()
            }
            if recent.isEmpty, batch.marks.isEmpty, batch.removedSegments.isEmpty { return }
            // In order of the key: neighbours share pages.
            batch.entries = recent.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
            do {
                try index.write(batch)
                state.withLock { state in
                    state.recent.thaw()
                    state.counters.indexWrites += 1
                }
            } catch {
                state.withLock {
                    $0.segments.restoreChanges(batch.marks, removed: batch.removedSegments)
                }
                // A full disk passes; until then the changes stay in memory, up to a bound.
                if !Recovery.isFull(error) { _ = indexFailed(error) }
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
            guard let segment = state.withLock({ $0.segments[number] }) else { continue }
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

    private func expireTombstones() {
        let cutoff = clocks.wall.milliseconds - ChunkStoreLimits.tombstoneMilliseconds
        let isAny = tombstoneLog.withLock { !$0.expired(before: cutoff).isEmpty }
        guard isAny, failure == nil else { return }
        // What was punched must be so for good before the tombstone goes.
        flush()
        let numbers = state.withLock { Array($0.segments.segments.keys) }
        do {
            for number in numbers { try files.file(number).sync() }
            try tombstoneLog.withLock { log in
                for number in log.expired(before: cutoff) {
                    try index.forgetTombstones(try log.chunks(inFile: number))
                    try log.removeFile(number)
                }
            }
        } catch {
            count { $0.punchFailures += 1 }
        }
    }
}
