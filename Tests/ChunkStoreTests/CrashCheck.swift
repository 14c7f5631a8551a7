import Core
import Simulation

@testable import ChunkStore

/// Cuts the power at every point of a workload and looks at what is found; then does the same to
/// the recovery itself.
struct CrashCheck {
    static let segmentBytes = 68 << 10
    /// Room for seven records.
    static let tombstoneFileBytes = 512
    private static let exhaustiveMax = 256
    private static let sampleCount = 32
    /// One of so many images is recovered with further cuts.
    private static let recoveryShare = 100

    /// At one of so many points the process dies alone first.
    private static let killShare = 7

    private let workload: String
    private let points: [CrashJournal.Point]
    /// Images looked at, without those that are equal and promise the same.
    private(set) var imageCount = 0
    private(set) var recoveryCount = 0
    private(set) var wrong: [String] = []
    private var seen: Set<Int> = []

    init(_ workload: String, _ points: [CrashJournal.Point]) {
        self.workload = workload
        self.points = points
    }

    mutating func run() async throws {
        for (number, point) in points.enumerated()
        where CrashPlace.isWanted(workload, point: number) {
            let things = point.disk.things
            let variants = CrashVariants(
                counts: point.disk.counts(of: things), exhaustiveMax: Self.exhaustiveMax,
                sampleCount: Self.sampleCount, seed: UInt64(number))
            for (count, variant) in variants.enumerated() {
                // Each index with some disks, the index as it is or none with each in turn.
                let indexes: [IndexCopy?] = point.indexes + [nil]
                let first = count < 2 ? 0 : count % indexes.count
                let last = count < 2 ? indexes.count - 1 : first
                for index in first...last {
                    let place = CrashPlace(workload, point: number, variant: variant + [index])
                    guard place.isWanted else { continue }
                    try await check(
                        point, point.disk.after(variant, of: things), indexes[index], place)
                    if wrong.count > 5 { return }
                }
            }
            let place = CrashPlace(workload, point: number, variant: "kill")
            if number % Self.killShare == 0 || CrashPlace.isReplay, place.isWanted {
                try await checkKill(point, place)
            }
        }
    }

    /// The process dies and the power stays; it goes while the next process opens the store, or
    /// when that has told others what it found.
    private mutating func checkKill(
        _ point: CrashJournal.Point, _ place: CrashPlace
    ) async throws {
        let journal = CrashJournal(indexCutCount: 1)
        guard
            let found = try await open(
                point.disk, point.indexes.first, point.model, journal,
                "\(place), in front of: \(point.next)")
        else { return }
        let points = journal.points
        for (number, again) in points.enumerated() {
            let isEnd = number == points.count - 1
            let things = again.disk.things
            let counts = again.disk.counts(of: things)
            for (way, variant) in [counts.map { $0 - 1 }, counts.map { _ in 0 }].enumerated() {
                let indexes: [IndexCopy?] = again.indexes + [nil]
                for index in isEnd ? indexes : [indexes[(number + way) % indexes.count]] {
                    recoveryCount += 1
                    let second = CrashPlace("opening", point: number, variant: variant)
                    _ = try await open(
                        again.disk.after(variant, of: things), index,
                        isEnd ? found : point.model, nil,
                        "\(place), then \(second), in front of: \(again.next)")
                    if wrong.count > 5 { return }
                }
            }
        }
    }

    private mutating func check(
        _ point: CrashJournal.Point, _ disk: SimulatedChunkDisk.State, _ index: IndexCopy?,
        _ place: CrashPlace
    ) async throws {
        var hasher = Hasher()
        disk.combine(into: &hasher)
        hasher.combine(index)
        hasher.combine(point.model)
        guard seen.insert(hasher.finalize()).inserted else { return }
        imageCount += 1
        let isDeep = imageCount % Self.recoveryShare == 0 || CrashPlace.isReplay
        let journal = isDeep ? CrashJournal(indexCutCount: 1) : nil
        guard
            let found = try await open(
                disk, index, point.model, journal, "\(place), in front of: \(point.next)")
        else { return }
        guard let journal else { return }
        for (number, again) in journal.points.enumerated() {
            let things = again.disk.things
            let counts = again.disk.counts(of: things)
            for (way, variant) in [counts.map { $0 - 1 }, counts.map { _ in 0 }].enumerated() {
                let indexes: [IndexCopy?] = again.indexes + [nil]
                let left = indexes[(number + way) % indexes.count]
                recoveryCount += 1
                let second = CrashPlace("recovery", point: number, variant: variant)
                _ = try await open(
                    again.disk.after(variant, of: things), left, found, nil,
                    "\(place), then \(second), in front of: \(again.next)")
                if wrong.count > 5 { return }
            }
        }
    }

    /// - Returns: What the store holds, if it may hold that.
    private mutating func open(
        _ disk: SimulatedChunkDisk.State, _ index: IndexCopy?, _ model: ChunkModel,
        _ journal: CrashJournal?, _ place: String
    ) async throws -> ChunkModel? {
        do {
            var store = try CrashingStore(
                SimulatedChunkDisk(disk), index: index, segmentBytes: Self.segmentBytes,
                tombstoneFileBytes: Self.tombstoneFileBytes, journal: journal)
            journal?.end()
            store.model = model
            let faults = try store.check()
            await store.store.close()
            if faults.isEmpty { return store.model }
            wrong.append("\(place): \(faults.joined(separator: "\n"))")
        } catch {
            wrong.append("\(place): \(error)")
        }
        return nil
    }
}
