import Core
import Foundation
import Simulation

@testable import Catalogue

/// Runs a script on a store, and holds what each power cut leaves to a store that never lost any.
struct CrashCheck {
    /// Of the range after a batch, on a replica that nothing happened to.
    private struct Moment {
        let index: UInt64
        let note: [UInt8]
        let digest: [UInt8]
        /// The batch that led here.
        let batch: [CatalogueEntry]
    }

    /// What a power cut may leave: moments from the oldest that was promised to the newest that
    /// was asked for, or those of a snapshot that is being installed.
    private struct Promise {
        var moments: ClosedRange<Int>
        var installed: Int?
        /// A snapshot that was acknowledged: the moment that it must hold.
        var snapshot: Int?

        func allows(_ moment: Int) -> Bool { moments.contains(moment) || moment == installed }
    }

    private static let range = RangeID(rawValue: 3)
    /// One of so many images is recovered with further cuts.
    private static let recoveryShare = 80

    private let workload: String
    private let directory: CrashedDirectory
    private let scratch: ScratchDirectory
    private var store: RangeStore
    /// The other replica: always ahead.
    private let other: RangeStore
    private var make = CommandMaker(seed: 11)
    private var moments: [Moment] = []
    private var promises: [Promise]
    private(set) var pointCount = 0
    private(set) var imageCount = 0
    private(set) var recoveryCount = 0
    private(set) var wrong: [String] = []
    private var seen: Set<Int> = []

    init(_ workload: String) throws {
        self.workload = workload
        directory = try CrashedDirectory(exhaustiveMax: 16, sampleCount: 9) {
            CrashPlace.isWanted(workload, point: $0)
        }
        scratch = try ScratchDirectory(isInMemory: true)
        other = try RangeStore.open(path: scratch.file("other"), range: Self.range)
        moments = [
            Moment(index: 0, note: [], digest: try other.contentDigest(), batch: [])
        ]
        promises = [Promise(moments: 0...0)]
        directory.begin()
        store = try RangeStore.open(path: directory.file("range"), range: Self.range)
    }

    // MARK: The script

    mutating func run(_ steps: [CrashScript.Step]) throws {
        for step in steps {
            try perform(step)
            try look()
        }
        store.close()
        directory.end()
        try look()
    }

    private mutating func perform(_ step: CrashScript.Step) throws {
        switch step {
        case .apply(let count): try apply(count)
        case .note: try apply(0)
        case .checkpoint: try checkpoint()
        case .checkpointBesideReader:
            let reader = try SQLiteConnection(
                path: directory.file("range"), mode: .readOnly, cacheKiB: 100)
            try reader.execute("BEGIN")
            _ = try reader.integer("SELECT count(*) FROM heads")
            try apply(2)
            try checkpoint()
            try reader.execute("COMMIT")
        case .writeSnapshot:
            _ = try store.writeSnapshot(to: directory.file("snapshot"))
            promise { $0.snapshot = $0.moments.upperBound }
        case .install(let batches, let entries): try install(batches, entries)
        case .reopen:
            store.close()
            promiseDurable()
            store = try RangeStore.open(path: directory.file("range"), range: Self.range)
            promiseDurable()
        }
    }

    private mutating func promise(_ change: (inout Promise) -> Void) {
        var next = promises[promises.count - 1]
        change(&next)
        promises.append(next)
        directory.note(promises.count - 1)
    }

    /// Not older than what the store says to be durable.
    private mutating func promiseDurable() {
        let durable = store.durableIndex
        let first = moments.firstIndex { $0.index == durable } ?? moments.count
        promise { $0.moments = max($0.moments.lowerBound, first)...$0.moments.upperBound }
    }

    /// Adds a batch to what happens, and gives it to the other replica.
    private mutating func extend(_ count: Int) throws {
        let first = moments[moments.count - 1].index + 1
        let batch = try (0..<count).map { number in
            let key = "k\((first + UInt64(number)) % 29)"
            let command =
                number % 3 == 2
                ? make.delete(key) : make.putInline(key, String(repeating: key, count: 400))
            return CatalogueEntry(
                index: first + UInt64(number), payload: try command.serializedBytes())
        }
        let note = [UInt8(moments.count)]
        _ = try other.apply(batch, note: note)
        moments.append(
            Moment(
                index: other.appliedIndex, note: note, digest: try other.contentDigest(),
                batch: batch))
    }

    private mutating func apply(_ count: Int) throws {
        try extend(count)
        let last = moments.count - 1
        promise { $0.moments = $0.moments.lowerBound...last }
        _ = try store.apply(moments[last].batch, note: moments[last].note)
        promiseDurable()
    }

    private mutating func checkpoint() throws {
        _ = try store.checkpoint()
        promiseDurable()
    }

    private mutating func install(_ batches: Int, _ entries: Int) throws {
        for _ in 0..<batches { try extend(entries) }
        let last = moments.count - 1
        promise { $0.snapshot = nil }
        let path = directory.file("received")
        _ = try other.writeSnapshot(to: scratch.file("sent"))
        // Received piece by piece, and not synced.
        try Self.copy(scratch.file("sent"), to: path)
        promise { $0.installed = last }
        _ = try store.install(snapshot: path)
        promise { $0 = Promise(moments: last...last) }
    }

    /// Written through SQLite's shim, so that it is lost unless the store syncs it.
    private static func copy(_ source: String, to target: String) throws {
        let from = try SQLiteConnection(path: source, mode: .readOnly, cacheKiB: 100)
        let to = try SQLiteConnection(path: target, mode: .readWrite, cacheKiB: 100)
        try to.execute("PRAGMA synchronous = OFF")
        try from.copy(to: to)
    }

    // MARK: After a cut

    private mutating func look() throws {
        for point in directory.takePoints() {
            pointCount += 1
            for (variant, copy) in point.copies {
                let place = CrashPlace(workload, point: point.number, variant: variant)
                if place.isWanted, wrong.count < 6 {
                    try check(copy, promises[point.note], place, "\(point.next)")
                }
                try? FileManager.default.removeItem(atPath: copy)
            }
        }
    }

    private mutating func check(
        _ copy: String, _ promise: Promise, _ place: CrashPlace, _ next: String
    ) throws {
        guard seen.insert(try Self.fingerprint(copy, promise)).inserted else { return }
        imageCount += 1
        let isDeep = imageCount % Self.recoveryShare == 0 || CrashPlace.isReplay
        let deep =
            isDeep ? try CrashedDirectory(at: copy, exhaustiveMax: 4, sampleCount: 3) : nil
        deep?.begin()
        let found: RangeStore
        do {
            found = try RangeStore.open(path: copy + "/range", range: Self.range)
        } catch {
            deep?.end()
            return report(place, next, "\(error)")
        }
        deep?.end()
        guard let moment = try judge(found, promise, place, next) else { return }
        try checkSnapshot(copy, promise, place, next)
        for point in deep?.takePoints() ?? [] {
            for (variant, again) in point.copies {
                recoveryCount += 1
                let second = CrashPlace("opening", point: point.number, variant: variant)
                try checkAgain(
                    again, moment, place, "\(next); then \(second), \(point.next)")
            }
        }
        try replay(found, from: moment, place, next)
        found.close()
    }

    /// - Returns: Which moment the store holds.
    private mutating func judge(
        _ found: RangeStore, _ promise: Promise, _ place: CrashPlace, _ next: String
    ) throws -> Int? {
        let digest = try found.contentDigest()
        guard
            let moment = moments.firstIndex(where: {
                $0.index == found.appliedIndex && $0.note == found.note && $0.digest == digest
            })
        else {
            report(place, next, "index \(found.appliedIndex), and the content of no moment")
            return nil
        }
        guard promise.allows(moment) else {
            report(
                place, next,
                "moment \(moment), not \(promise.moments) nor \(promise.installed ?? -1)")
            return nil
        }
        if found.durableIndex != found.appliedIndex {
            report(place, next, "opened, and \(found.durableIndex) alone is durable")
        }
        return moment
    }

    private mutating func checkAgain(
        _ copy: String, _ moment: Int, _ place: CrashPlace, _ next: String
    ) throws {
        do {
            let found = try RangeStore.open(path: copy + "/range", range: Self.range)
            _ = try judge(found, Promise(moments: moment...moment), place, next)
        } catch {
            report(place, next, "\(error)")
        }
    }

    private mutating func checkSnapshot(
        _ copy: String, _ promise: Promise, _ place: CrashPlace, _ next: String
    ) throws {
        guard let moment = promise.snapshot else { return }
        do {
            let third = try RangeStore.open(path: copy + "/third", range: Self.range)
            _ = try third.install(snapshot: copy + "/snapshot")
            if try third.contentDigest() != moments[moment].digest {
                report(place, next, "the snapshot holds something else")
            }
        } catch {
            report(place, next, "the snapshot: \(error)")
        }
    }

    /// The log brings the rest.
    private mutating func replay(
        _ found: RangeStore, from moment: Int, _ place: CrashPlace, _ next: String
    ) throws {
        for later in moments[(moment + 1)...] {
            _ = try found.apply(later.batch, note: later.note)
        }
        if try found.contentDigest() != moments[moments.count - 1].digest {
            report(place, next, "another content once the rest was replayed")
        }
    }

    private static func fingerprint(_ copy: String, _ promise: Promise) throws -> Int {
        var hasher = Hasher()
        hasher.combine(promise.moments)
        hasher.combine(promise.installed)
        hasher.combine(promise.snapshot)
        for name in try FileManager.default.contentsOfDirectory(atPath: copy).sorted()
        where !name.hasSuffix("-shm") {
            hasher.combine(name)
            hasher.combine(try Data(contentsOf: URL(fileURLWithPath: copy + "/" + name)))
        }
        return hasher.finalize()
    }

    private mutating func report(_ place: CrashPlace, _ next: String, _ text: String) {
        wrong.append("\(place), in front of: \(next): \(text)")
    }
}
