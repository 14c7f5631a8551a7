import Core

/// Changes that are durable in the segments and tombstone files but not in the index yet: looked at
/// before the index is. One generation takes what is new while the other is written.
struct RecentChanges: Sendable {
    private(set) var active: [ChunkID: ChunkEntry] = [:]
    private(set) var frozen: [ChunkID: ChunkEntry] = [:]
    private(set) var activeBytes = 0
    /// When the oldest change of `active` was made.
    private(set) var activeSince: UInt64?

    subscript(chunk: ChunkID) -> ChunkEntry? { active[chunk] ?? frozen[chunk] }

    var count: Int { active.count + frozen.count }

    mutating func put(_ chunk: ChunkID, _ entry: ChunkEntry, now: UInt64) {
        active[chunk] = entry
        activeBytes += entry.location?.payloadBytes ?? 0
        if activeSince == nil { activeSince = now }
    }

    func isDue(now: UInt64) -> Bool {
        if !frozen.isEmpty { return false }
        if active.count >= ChunkStoreLimits.recentCountFlush { return true }
        if activeBytes >= ChunkStoreLimits.recentBytesFlush { return true }
        guard let activeSince else { return false }
        return now >= activeSince + ChunkStoreLimits.recentAgeMilliseconds
    }

    /// Takes what is to be written now; it stays visible until ``thaw()``. After a failed write the
    /// former generation is taken again, with what came meanwhile.
    mutating func freeze() -> [ChunkID: ChunkEntry] {
        frozen.merge(active) { _, newer in newer }
        active = [:]
        activeBytes = 0
        activeSince = nil
        return frozen
    }

    /// The frozen generation is in the index.
    mutating func thaw() { frozen = [:] }

    /// What is known of a partition, after `after`.
    func entries(in partition: PartitionID, after: ChunkID?) -> [ChunkID: ChunkEntry] {
        func isWanted(_ chunk: ChunkID) -> Bool {
            chunk.partition == partition && (after.map { chunk > $0 } ?? true)
        }
        return frozen.filter { isWanted($0.key) }
            .merging(active.filter { isWanted($0.key) }) { _, newer in newer }
    }

    /// Partitions that have gained a chunk.
    var partitions: Set<PartitionID> {
        var found: Set<PartitionID> = []
        for changes in [frozen, active] {
            for (chunk, entry) in changes where entry.location != nil {
                found.insert(chunk.partition)
            }
        }
        return found
    }
}

/// Where chunks are that were looked up lately: two generations; the older is dropped when the
/// younger is full. May be stale: a reader that finds something else looks the chunk up again.
struct LocationCache: Sendable {
    private var young: [ChunkID: ChunkLocation] = [:]
    private var old: [ChunkID: ChunkLocation] = [:]

    mutating func location(of chunk: ChunkID) -> ChunkLocation? {
        if let location = young[chunk] { return location }
        guard let location = old[chunk] else { return nil }
        put(chunk, location)
        return location
    }

    mutating func put(_ chunk: ChunkID, _ location: ChunkLocation) {
        if young.count >= ChunkStoreLimits.cachedLocationsPerGeneration {
            old = young
            young = [:]
        }
        young[chunk] = location
    }

    mutating func remove(_ chunk: ChunkID) {
        young[chunk] = nil
        old[chunk] = nil
    }
}
