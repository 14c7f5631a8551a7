import Core
import Foundation

@testable import ChunkStore

/// What a store must hold, by what it acknowledged: for each chunk the states that it may be in.
/// One, but for operations that nobody answered.
struct ChunkModel: Hashable, Sendable {
    enum Fate: Hashable { case absent, stored, deleted }

    private(set) var fates: [ChunkID: Set<Fate>] = [:]
    /// Deleted so long ago that the store may have forgotten it, or not yet.
    private var expired: Set<ChunkID> = []
    /// Acknowledgements that should not have been.
    private var broken: [String] = []

    subscript(chunk: ChunkID) -> Set<Fate> { fates[chunk] ?? [.absent] }

    /// Acknowledged, or seen.
    mutating func set(_ chunk: ChunkID, _ fate: Fate) { fates[chunk] = [fate] }

    /// Asked for and not answered: it may have happened, now or when the next opening finds it.
    mutating func allow(_ chunk: ChunkID, _ fate: Fate) {
        fates[chunk] = self[chunk].union([fate])
    }

    mutating func beginWrite(_ chunk: ChunkID) {
        if self[chunk].contains(.absent) { allow(chunk, .stored) }
    }

    mutating func endWrite(_ chunk: ChunkID) {
        if self[chunk] == [.deleted] { broken.append("\(chunk) was deleted, and is written") }
        set(chunk, .stored)
    }

    mutating func beginDelete(_ chunk: ChunkID) { allow(chunk, .deleted) }
    mutating func endDelete(_ chunk: ChunkID) { set(chunk, .deleted) }

    mutating func beginDrop(_ chunk: ChunkID) {
        if self[chunk].contains(.stored) { allow(chunk, .absent) }
    }

    /// A drop leaves what is deleted as it is.
    mutating func endDrop(_ chunk: ChunkID) {
        if self[chunk].contains(.deleted) {
            fates[chunk] = self[chunk].subtracting([.stored])
        } else {
            set(chunk, .absent)
        }
    }

    /// Tombstones have become old: some are gone. Their chunks are not written again.
    mutating func expire() {
        for chunk in fates.keys where self[chunk].contains(.deleted) {
            allow(chunk, .absent)
            expired.insert(chunk)
        }
    }

    // MARK: Payloads

    /// Most are small, some have several blocks, a few are large.
    static func byteCount(of chunk: ChunkID) -> Int {
        var random = SeededRandom(seed: chunk.low)
        switch Int.random(in: 0..<20, using: &random) {
        case 0: return Int.random(in: 262_209...300_000, using: &random)
        case 1, 2: return Int.random(in: 65_000...140_000, using: &random)
        default: return Int.random(in: 1...30_000, using: &random)
        }
    }

    /// Bytes that name their chunk, and in which no page is like another.
    static func bytes(of chunk: ChunkID) -> [UInt8] {
        let count = byteCount(of: chunk)
        let period = payload(chunk, bytes: 509)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + period.count)
        while bytes.count < count { bytes += period }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    static func owner(of chunk: ChunkID) -> [UInt8] { Array(chunk.bytes.prefix(7)) }

    // MARK: Check

    /// Holds the store to the model, then takes over what the store decided where it had a choice.
    ///
    /// - Returns: What is wrong; empty when all is well.
    mutating func check(_ store: ChunkStore) throws -> [String] {
        var wrong = broken
        var listed: Set<ChunkID> = []
        for partition in Set(fates.keys.map(\.partition)) {
            listed.formUnion(try store.listAll(partition, pageCount: 7))
        }
        for chunk in listed where fates[chunk] == nil { wrong.append("\(chunk) is a stranger") }
        var usedBytes = 0
        var extents: [ChunkID: Extent] = [:]
        for chunk in fates.keys.sorted() {
            let fate = try Self.look(at: chunk, store, isListed: listed.contains(chunk), &wrong)
            if !self[chunk].contains(fate) {
                wrong.append("\(chunk) is \(fate), not \(self[chunk])")
            }
            if !expired.contains(chunk) { set(chunk, fate) }
            if fate == .stored, let extent = try store.entry(of: chunk)?.location?.extent {
                extents[chunk] = extent
                usedBytes += extent.bytes
            }
        }
        let usage = store.usage
        if usage.usedBytes != usedBytes || usage.chunkCount != extents.count {
            wrong.append(
                "the store counts \(usage.chunkCount) chunks in \(usage.usedBytes) bytes, there "
                    + "are \(extents.count) in \(usedBytes)")
        }
        wrong += Self.overlaps(extents, store)
        return wrong
    }

    /// What the store says of one chunk, by every way to ask.
    private static func look(
        at chunk: ChunkID, _ store: ChunkStore, isListed: Bool, _ wrong: inout [String]
    ) throws -> Fate {
        let entry = try store.entry(of: chunk)
        let isDeleted = if case .deleted = entry { true } else { false }
        if (entry?.location != nil) != isListed { wrong.append("\(chunk): list and look-up") }
        do throws(ChunkStoreError) {
            let reader = try store.open(chunk)
            let read = try reader.read(0..<reader.blockCount)
            let bytes = bytes(of: chunk)
            if read.count != bytes.count || memcmp(read, bytes, bytes.count) != 0 {
                wrong.append("\(chunk) has other bytes")
            }
            if reader.owner != owner(of: chunk) { wrong.append("\(chunk) has another owner") }
            if !isListed { wrong.append("\(chunk) is read and not listed") }
            return .stored
        } catch {
            if isListed { wrong.append("\(chunk) is listed: \(error)") }
            if error != (isDeleted ? .deleted(chunk) : .notFound(chunk)) {
                wrong.append("\(chunk): \(error)")
            }
            return isDeleted ? .deleted : .absent
        }
    }

    /// Extents that two chunks share, or that their segment may still give to others.
    private static func overlaps(
        _ extents: [ChunkID: Extent], _ store: ChunkStore
    ) -> [String] {
        var wrong: [String] = []
        let segments = store.state.withLock { $0.segments }
        for (number, inSegment) in Dictionary(grouping: extents, by: \.value.segment) {
            let sorted = inSegment.sorted { $0.value.offset < $1.value.offset }
            for (one, next) in zip(sorted, sorted.dropFirst())
            where one.value.range.upperBound > next.value.offset {
                wrong.append("\(one) and \(next) overlap")
            }
            if let last = sorted.last,
                last.value.range.upperBound > segments[number]?.next ?? 0
            {
                wrong.append("\(last) lies where the next write goes")
            }
        }
        let isIdle = segments.segments.values.allSatisfy { $0.reserved.isEmpty }
        if isIdle, segments.promisedBytes != 0 {
            wrong.append("\(segments.promisedBytes) bytes are promised to nobody")
        }
        return wrong
    }
}
