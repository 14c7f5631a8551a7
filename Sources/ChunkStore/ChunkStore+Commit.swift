import Core

extension ChunkStore {
    typealias Outcome = Result<ChunkWriteOutcome, ChunkStoreError>

    /// A write of a group that has got its extent.
    private struct Placed {
        let pending: PendingCommit
        let extent: Extent
        /// The copy that this one replaces.
        let former: ChunkLocation?
    }

    /// Commits what has gathered: look-ups, one vectored write for each run of neighbours, one sync
    /// for each segment, then the changes, then the answers. On the kind's commit thread.
    func commit(_ group: [PendingCommit], kind: SegmentKind) {
        waitForIndex()
        var answers: [(ChunkWriteDone, Outcome)] = []
        answers.reserveCapacity(group.count)
        var placed: [Placed] = []
        for pending in group {
            do throws(ChunkStoreError) {
                if let write = try place(pending, kind: kind) {
                    placed.append(write)
                } else {
                    drop(pending)
                    answers.append((pending.done, .success(.known)))
                }
            } catch {
                drop(pending)
                answers.append((pending.done, .failure(error)))
            }
        }
        let failed = writeImages(placed)
        let written = placed.indices.filter { failed[$0] == nil }.map { placed[$0] }
        for (index, error) in failed {
            end(placed[index])
            answers.append((placed[index].pending.done, .failure(error)))
        }
        do throws(ChunkStoreError) {
            try sync(Set(written.map(\.extent.segment)))
            answers += publish(written)
        } catch {
            for write in written {
                end(write)
                answers.append((write.pending.done, .failure(error)))
            }
        }
        let imageBytes = group.reduce(0) { sum, pending in
            if case .image = pending.source { sum + pending.extentBytes } else { sum }
        }
        let isDue = state.withLock { state in
            state.counters.commitGroups += 1
            state.waitingImageBytes -= imageBytes
            return state.recent.isDue(now: clocks.monotonic.milliseconds)
        }
        for (done, outcome) in answers { done(outcome) }
        if isDue { offerMaintenance { $0.flush() } }
    }

    /// - Returns: `nil` if the chunk is here already.
    private func place(
        _ pending: PendingCommit, kind: SegmentKind
    ) throws(ChunkStoreError) -> Placed? {
        if let failure { throw .diskFailed(failure) }
        switch pending.source {
        case .streamed(let extent):
            // Looked up when it began; what came meanwhile is found when it is published.
            let former = pending.replaces ? try entry(of: pending.chunk)?.location : nil
            return Placed(pending: pending, extent: extent, former: former)
        case .image:
            let entry = try entry(of: pending.chunk)
            let isKnown = try isKnown(
                pending.chunk, bytes: pending.payloadBytes, entry: entry,
                replacing: pending.replaces)
            if isKnown { return nil }
            let extent = try take(pending.extentBytes, kind: kind)
            return Placed(pending: pending, extent: extent, former: entry?.location)
        }
    }

    /// Ends a write that got no extent, or gives its extent back.
    private func drop(_ pending: PendingCommit) {
        state.withLock { state in
            Self.end(pending.chunk, in: &state)
            if case .image = pending.source {
                state.segments.breakPromise(pending.extentBytes)
            }
        }
        if case .streamed(let extent) = pending.source {
            giveUp(extent, of: pending.chunk, .header)
        }
    }

    private func end(_ write: Placed) {
        state.withLock { Self.end(write.pending.chunk, in: &$0) }
        giveUp(write.extent, of: write.pending.chunk, .header)
    }

    /// Writes the images, neighbours together.
    ///
    /// - Returns: Errors by the index of the write.
    private func writeImages(_ placed: [Placed]) -> [Int: ChunkStoreError] {
        var failed: [Int: ChunkStoreError] = [:]
        var run: [Int] = []
        func flushRun() {
            defer { run = [] }
            guard let first = run.first else { return }
            do {
                try write(run.map { placed[$0] }, at: placed[first].extent)
            } catch {
                for index in run { failed[index] = error }
            }
        }
        for (index, write) in placed.enumerated() {
            guard case .image = write.pending.source else { continue }
            if let last = run.last.map({ placed[$0].extent }) {
                let isNeighbour =
                    last.segment == write.extent.segment
                    && last.range.upperBound == write.extent.offset
                if !isNeighbour || run.count >= ChunkStoreLimits.piecesPerWriteMax { flushRun() }
            }
            run.append(index)
        }
        flushRun()
        return failed
    }

    private func write(_ run: [Placed], at first: Extent) throws(ChunkStoreError) {
        guard let segment = state.withLock({ $0.segments[first.segment]?.identity }) else {
            preconditionFailure("a segment with a reserved extent stays")
        }
        let pieces = run.compactMap { write -> UnsafeRawBufferPointer? in
            guard case .image(let image) = write.pending.source else { return nil }
            return image.finish(segment: segment, offset: write.extent.offset)
        }
        do {
            try files.file(first.segment).write(pieces, at: first.offset)
        } catch {
            if error != .full { poison("a write failed: \(error)") }
            throw diskFailed(error)
        }
    }

    private func sync(_ segments: Set<UInt32>) throws(ChunkStoreError) {
        if Mutation.isOn(.ackBeforeChunkSync) { return }
        for segment in segments {
            do {
                try files.file(segment).sync()
            } catch {
                // Which of the bytes are on the disk is not known, now or ever.
                poison("a sync failed: \(error)")
                throw .diskFailed("a sync failed: \(error)")
            }
        }
        // Another thread's sync may have failed meanwhile.
        if let failure { throw .diskFailed(failure) }
        count { $0.segmentSyncs += UInt64(segments.count) }
    }

    /// Makes the chunks visible.
    private func publish(_ written: [Placed]) -> [(ChunkWriteDone, Outcome)] {
        let now = clocks.monotonic.milliseconds
        let (answers, isAnyStale) = state.withLock { state in
            let answers = written.map { write -> (ChunkWriteDone, Outcome) in
                let pending = write.pending
                let writing = state.writing[pending.chunk] ?? Writing()
                let outcome: Outcome
                if writing.isDeleted {
                    outcome = .failure(.deleted(pending.chunk))
                } else if writing.isCommitted {
                    outcome = .success(.known)
                } else {
                    outcome = .success(.written)
                }
                let isAlive = outcome == .success(.written)
                state.segments.end(write.extent, isAlive: isAlive)
                if isAlive {
                    let recent = state.recent[pending.chunk]
                    let former = recent == nil && !writing.isDropped ? write.former : nil
                    if let former = recent?.location ?? former {
                        state.segments.release(former.extent)
                        Self.addStale(pending.chunk, former.extent, in: &state)
                    }
                    let location = ChunkLocation(
                        segment: write.extent.segment, offset: write.extent.offset,
                        headerBytes: pending.headerBytes, payloadBytes: pending.payloadBytes)
                    state.recent.put(pending.chunk, .stored(location), now: now)
                    state.cache.remove(pending.chunk)
                    state.writing[pending.chunk]?.isCommitted = true
                    state.corrupt.removeAll { $0 == pending.chunk }
                    state.counters.chunksWritten += 1
                    state.counters.bytesWritten += UInt64(pending.payloadBytes)
                } else {
                    Self.addStale(pending.chunk, write.extent, in: &state)
                }
                Self.end(pending.chunk, in: &state)
                return (pending.done, outcome)
            }
            return (answers, !state.stale.isEmpty)
        }
        if isAnyStale { offerMaintenance { $0.reclaim() } }
        return answers
    }

    /// Slows writers down while the index can't follow.
    private func waitForIndex() {
        let isFarBehind = state.withLock { state in
            state.recent.count >= ChunkStoreLimits.recentCountMax && state.failure == nil
        }
        if isFarBehind { flush() }
    }
}
