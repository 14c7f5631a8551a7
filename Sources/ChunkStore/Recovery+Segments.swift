import Core

/// From the disk to the index.
extension Recovery {
    mutating func recover(_ names: [String]) throws {
        let (marks, position) = try index.marks()
        self.position = position
        isRebuild = marks.isEmpty && position == .start
        let markOf = Dictionary(marks.map { ($0.segment, $0) }, uniquingKeysWith: { $1 })
        let numbers = names.compactMap { SegmentHeader.number(ofFile: $0) }.sorted()
        for number in numbers { found[number] = try look(at: number, markOf[number]) }
        try recoverTombstones(names, markOf)
        try forgetMissing(marks)
        for number in found.keys.sorted() { try scan(number) }
        try flushRows()
        try sync()
        let usage = try index.usage()
        for number in found.keys { found[number]!.raise(usage[number]?.end ?? 0) }
        try writeMarks()
        try addSegments(usage)
        try makeTombstoneFiles()
    }

    /// Which segment the file is.
    ///
    /// - Returns: `nil` if it holds nothing, not even a header: it was removed.
    private mutating func look(
        at number: UInt32, _ mark: SegmentMark?
    ) throws -> FoundSegment? {
        let file = try files.file(number)
        let name = SegmentHeader.fileName(number)
        let start = ChunkStoreLimits.segmentHeaderBytes
        do {
            let header = try SegmentHeader.decode(try file.read(0..<SegmentHeader.byteCount))
            guard header.store == identity, header.number == number else {
                throw ChunkStoreError.unusable("\(name) belongs to another store")
            }
            let isKnown = mark?.identity == header.identity
            if mark != nil, !isKnown { _ = try index.forget(segment: number) }
            let from = isKnown ? max(start, mark?.offset ?? 0) : start
            return FoundSegment(header: header, mark: from, next: from)
        } catch HeaderProblem.unknownVersion(let version) {
            throw ChunkStoreError.unusable(
                "\(name) has the format \(version); this program knows "
                    + "\(SegmentHeader.version)")
        } catch is HeaderProblem {
            let size = try file.size()
            let scan = SegmentScan(file: file, identity: mark?.identity, size: size)
            guard let identity = try mark?.identity ?? scan.firstIdentity() else {
                // Its header was never synced, so nothing in it was ever acknowledged.
                counters.lostChunks += UInt64(try index.forget(segment: number))
                files.remove(number)
                try disk.remove(name)
                segments.skipNumbers(through: number)
                return nil
            }
            let header = SegmentHeader(
                kind: .large, number: number, store: self.identity, identity: identity,
                bytes: size)
            let from = max(start, mark?.offset ?? 0)
            return FoundSegment(header: header, mark: from, next: from)
        }
    }

    private mutating func recoverTombstones(
        _ names: [String], _ markOf: [UInt32: SegmentMark]
    ) throws {
        var log = log
        do {
            counters.damagedTombstones += UInt64(
                try log.recover(
                    numbers: names.compactMap { TombstoneLog.number(ofFile: $0) },
                    from: position
                ) { record, isNew in
                    if let place = record.place, isHere(place) {
                        found[place.extent.segment]!.raise(place.extent.range.upperBound)
                    }
                    if isNew, !Mutation.isOn(.recoveryForgetsDeletes) {
                        try apply(record, markOf)
                    }
                })
        } catch RecoveryProblem.unknownVersion(let file, let version) {
            throw ChunkStoreError.unusable(
                "\(file) has the format \(version); this program knows "
                    + "1 to \(TombstoneLog.version)")
        }
        self.log = log
        try flushRows()
    }

    private func isHere(_ place: TombstoneRecord.Place) -> Bool {
        found[place.extent.segment]?.header.identity == place.identity
    }

    private mutating func apply(
        _ record: TombstoneRecord, _ markOf: [UInt32: SegmentMark]
    ) throws {
        counters.recoveredTombstones += 1
        let chunk = record.chunk
        let location = try entry(of: chunk)?.location
        let named = record.place.flatMap { isHere($0) ? $0.extent : nil }
        switch (record.kind, record.place) {
        case (.deleted, _):
            batch[chunk] = .deleted(record.milliseconds)
            if let location, location.extent != named { bury(chunk, location.extent) }
        case (.dropped, nil):
            // Of version 1: of the copy that the index knows.
            if let location {
                batch[chunk] = .dropped
                bury(chunk, location.extent)
            }
        case (.dropped, let place?):
            let number = place.extent.segment
            let identity = found[number]?.header.identity ?? markOf[number]?.identity
            if location?.extent == place.extent, identity == place.identity {
                batch[chunk] = .dropped
            }
            if let named { dropped[number, default: []].insert(Self.page(named.offset)) }
        }
        // Where the index is made anew, the scan finds what is left of them.
        if let named, !isRebuild { bury(chunk, named) }
        try flushIfDue()
    }

    private static func page(_ offset: Int) -> UInt32 {
        UInt32(offset / ChunkStoreLimits.alignment)
    }

    private mutating func bury(_ chunk: ChunkID, _ extent: Extent) {
        guard found[extent.segment] != nil else { return }
        dead.append(StaleCopy(chunk: chunk, extent: extent))
    }

    /// Rows of segments that are not there are of no use: the other copies replace the chunks.
    private mutating func forgetMissing(_ marks: [SegmentMark]) throws {
        let named = Set(try index.usage().keys).union(marks.map(\.segment))
        for number in named where found[number] == nil {
            counters.lostChunks += UInt64(try index.forget(segment: number))
            segments.skipNumbers(through: number)
        }
    }

    private func entry(of chunk: ChunkID) throws -> ChunkEntry? {
        if let entry = batch[chunk] { return entry == .dropped ? nil : entry }
        return try index.entry(of: chunk)
    }

    // MARK: Scan

    private mutating func scan(_ number: UInt32) throws {
        guard let segment = found[number] else { return }
        let file = try files.file(number)
        let scan = SegmentScan(
            file: file, identity: segment.header.identity, size: try file.size())
        let isVerifying = !segment.header.isSealed || isRebuild
        let end = try scan.run(from: segment.mark, isVerifying: isVerifying) { extent in
            try take(extent, in: number, isSealed: segment.header.isSealed)
        }
        found[number]!.raise(end)
    }

    private mutating func take(
        _ found: SegmentScan.Found, in number: UInt32, isSealed: Bool
    ) throws {
        let header = found.header
        let chunk = header.chunk
        let location = ChunkLocation(
            segment: number, offset: header.offset, headerBytes: header.headerBytes,
            payloadBytes: header.payloadBytes)
        unsynced.insert(number)
        if dropped[number]?.contains(Self.page(header.offset)) ?? false {
            bury(chunk, location.extent)
        } else if found.isWhole {
            counters.recoveredExtents += 1
            try takeWhole(chunk, at: location)
        } else {
            try takeTorn(chunk, at: location, isSealed: isSealed)
        }
        try flushIfDue()
    }

    private mutating func takeWhole(_ chunk: ChunkID, at location: ChunkLocation) throws {
        switch try entry(of: chunk) {
        case .deleted: bury(chunk, location.extent)
        case nil, .dropped: batch[chunk] = .stored(location)
        case .stored(let former) where former == location: break
        case .stored(let former):
            // Written again because the former copy was bad: the later one counts.
            let isLater =
                (former.segment, former.offset) < (location.segment, location.offset)
            bury(chunk, isLater ? former.extent : location.extent)
            if isLater { batch[chunk] = .stored(location) }
        }
    }

    private mutating func takeTorn(
        _ chunk: ChunkID, at location: ChunkLocation, isSealed: Bool
    ) throws {
        counters.tornExtents += 1
        let entry = try entry(of: chunk)
        // One that the index has was whole when it was acknowledged: it is corrupt, not torn, and
        // stays, so that reading it says so.
        if entry == .stored(location) { return }
        // All of a sealed segment was synced: neither is this one torn. Its copies elsewhere
        // replace it.
        if isSealed, entry == nil { counters.lostChunks += 1 }
        // Only the header goes: what it claims as its pages may have been given to another since.
        bury(
            chunk,
            Extent(
                segment: location.segment, offset: location.offset,
                bytes: ChunkStoreLimits.alignment))
    }

    // MARK: Writing

    private mutating func flushIfDue() throws {
        if max(batch.count, dead.count) >= ChunkStoreLimits.recoveryBatchCount {
            try flushRows()
        }
    }

    /// Syncs what was found, then gives it to the index, then frees what is dead by that.
    private mutating func flushRows() throws {
        try sync()
        let entries = batch.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
        if !entries.isEmpty { try index.write(IndexBatch(entries: entries)) }
        batch = [:]
        for copy in dead {
            do {
                try files.file(copy.extent.segment).erase(copy.extent.range)
                unsynced.insert(copy.extent.segment)
            } catch {
                guard error == .full else { throw error }
                // The store names it again and goes on trying; its place is not given meanwhile.
                stale.append(copy)
                found[copy.extent.segment]!.raise(copy.extent.range.upperBound)
            }
        }
        dead = []
    }

    private mutating func sync() throws {
        for number in unsynced.sorted() { try files.file(number).sync() }
        unsynced = []
    }

    /// Everything found is in the index, everything dead is freed for good: the next opening goes
    /// on from here.
    private mutating func writeMarks() throws {
        guard stale.isEmpty else { return }
        let marks = found.sorted { $0.key < $1.key }.map { number, segment in
            SegmentMark(
                segment: number, identity: segment.header.identity, offset: segment.next)
        }
        try index.write(IndexBatch(marks: marks, tombstones: log.end))
        position = log.end
    }

    private mutating func addSegments(
        _ usage: [UInt32: (count: Int, bytes: Int, end: Int)]
    ) throws {
        for (number, found) in found.sorted(by: { $0.key < $1.key }) {
            var segment = SegmentTable.Segment(
                identity: found.header.identity, kind: found.header.kind ?? .large,
                bytes: found.header.bytes, next: found.next)
            segment.isSealed = found.header.isSealed
            segment.liveCount = usage[number]?.count ?? 0
            segment.liveBytes = usage[number]?.bytes ?? 0
            segments.add(number, segment)
            for copy in stale where copy.extent.segment == number {
                segments.addStale(copy.extent)
            }
            let size = try files.file(number).size()
            let isOpen =
                !segment.isSealed && found.header.kind != nil && size >= found.header.bytes
            if isOpen { segments.activate(number) } else { segments.retire(number) }
            if !isOpen, segments.leaveIfDead(number) {
                files.remove(number)
                try disk.remove(SegmentHeader.fileName(number))
                segments.removed(number)
            }
        }
    }

    /// So that the first delete needs no room.
    private mutating func makeTombstoneFiles() throws {
        do {
            try log.prepare()
        } catch {
            // A disk without room takes reads, and deletes as soon as there is some.
            if error != .full { throw error }
        }
    }
}
