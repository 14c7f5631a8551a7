import Core
import Raft
import Simulation

@testable import RaftLog

/// Cuts the power at every point of a workload, in every way or in some, and looks at what is
/// found; then does the same to the recovery itself.
struct CrashCheck {
    private let workload: String
    private let crashed: CrashedLog
    private let exhaustiveMax: Int
    /// Variants of a point that has too many for all.
    var sampleCount = 64
    /// One of so many images is recovered with further cuts.
    var recoveryShare = 64
    /// At one of so many points the process dies alone first.
    var killShare = 1
    /// Images looked at, without those that are equal and promise the same.
    private(set) var imageCount = 0
    private(set) var recoveryCount = 0
    private(set) var wrong: [String] = []
    private var seen: Set<Int> = []

    init(_ workload: String, _ crashed: CrashedLog, exhaustiveMax: Int) {
        self.workload = workload
        self.crashed = crashed
        self.exhaustiveMax = exhaustiveMax
    }

    mutating func run() throws {
        for (number, point) in crashed.disk.points.enumerated()
        where CrashPlace.isWanted(workload, point: number) {
            let variants = CrashVariants(
                counts: point.image.counts, exhaustiveMax: exhaustiveMax,
                sampleCount: sampleCount, seed: UInt64(number))
            for variant in variants {
                let place = CrashPlace(workload, point: number, variant: variant)
                if place.isWanted { try check(point, point.image.after(variant), place) }
                if wrong.count > 10 { return }
            }
            if number % killShare == 0 || CrashPlace.isReplay {
                checkKill(point, CrashPlace(workload, point: number, variant: "kill"))
            }
            try checkTear(number, point)
        }
    }

    /// The last write up to any byte, with all before it.
    private mutating func checkTear(_ number: Int, _ point: JournalDisk.Point) throws {
        guard let write = point.write else { return }
        let step = exhaustiveMax > 16 ? 8 : 256
        for count in stride(from: step, to: write.bytes.count, by: step) {
            let place = CrashPlace(workload, point: number, variant: "torn at \(count)")
            guard place.isWanted else { continue }
            var image = point.image
            image.write(write.bytes[..<count], at: write.offset, of: write.file)
            try check(point, image.after(image.counts.map { $0 - 1 }), place)
        }
    }

    private mutating func check(
        _ point: JournalDisk.Point, _ image: CrashImage, _ place: CrashPlace
    ) throws {
        var hasher = Hasher()
        hasher.combine(image.fingerprint)
        hasher.combine(point.note)
        guard seen.insert(hasher.finalize()).inserted else { return }
        imageCount += 1
        let disk = JournalDisk(image)
        guard let found = open(disk, point, place) else { return }
        if !crashed.isPossible(found, at: point) {
            report(point, place, "neither of \(crashed.promise(at: point)): \(found)")
        }
        if imageCount % recoveryShare == 0 || CrashPlace.isReplay {
            checkRecovery(disk, found, point, place)
            try checkLife(disk, found, point, place)
        }
    }

    private func open(_ disk: JournalDisk) -> Result<LogModel, any Error> {
        Result { try CrashedLog.open(disk) }
    }

    private mutating func open(
        _ disk: JournalDisk, _ point: JournalDisk.Point, _ place: CrashPlace
    ) -> LogModel? {
        switch open(disk) {
        case .success(let found): return found
        case .failure(let error):
            report(point, place, "\(error)")
            return nil
        }
    }

    /// The power goes again at any point of the recovery, or after it: the same is found.
    private mutating func checkRecovery(
        _ recovered: JournalDisk, _ found: LogModel, _ point: JournalDisk.Point,
        _ place: CrashPlace
    ) {
        for (number, again) in recovered.points.enumerated() {
            let variants = CrashVariants(
                counts: again.image.counts, exhaustiveMax: 16, sampleCount: 8, seed: 1)
            for variant in variants {
                recoveryCount += 1
                let result = open(JournalDisk(again.image.after(variant)))
                if (try? result.get()) != found {
                    let second = CrashPlace("recovery", point: number, variant: variant)
                    report(point, place, "then \(second), \(again.next): \(result)")
                }
            }
        }
    }

    /// The process dies and the power stays; it goes while the next process opens the log, or when
    /// that has told others what it found.
    private mutating func checkKill(_ point: JournalDisk.Point, _ place: CrashPlace) {
        guard place.isWanted else { return }
        let disk = JournalDisk(point.image)
        guard let found = open(disk, point, place) else { return }
        if !crashed.isPossible(found, at: point) { report(point, place, "\(found)") }
        let points = disk.points
        for (number, again) in points.enumerated() {
            let variants = CrashVariants(
                counts: again.image.counts, exhaustiveMax: 8, sampleCount: 4, seed: 1)
            for variant in variants {
                recoveryCount += 1
                let result = open(JournalDisk(again.image.after(variant)))
                let isFine =
                    switch result {
                    case .success(let second):
                        number == points.count - 1
                            ? second == found : crashed.isPossible(second, at: point)
                    case .failure: false
                    }
                if isFine { continue }
                let second = CrashPlace("opening", point: number, variant: variant)
                report(point, place, "then \(second), \(again.next): \(result)")
            }
        }
    }

    /// What is written after the recovery is there after the next cut.
    private mutating func checkLife(
        _ disk: JournalDisk, _ found: LogModel, _ point: JournalDisk.Point, _ place: CrashPlace
    ) throws {
        let log = try RaftLog(disk: disk, segmentBytes: CrashedLog.segmentBytes, seed: 3)
        var model = found
        var work = LogWorkload(random: SeededRandom(seed: UInt64(imageCount)))
        for _ in 0..<3 { try work.step(&model, log) }
        try log.sync()
        let image = disk.image
        for state in [0, 1] {
            let result = open(
                JournalDisk(image.after(image.counts.map { state == 0 ? 0 : $0 - 1 })))
            if (try? result.get()) != model {
                report(point, place, "then more: \(result) is not \(model)")
            }
        }
    }

    private mutating func report(
        _ point: JournalDisk.Point, _ place: CrashPlace, _ text: String
    ) {
        wrong.append("\(place), in front of: \(point.next): \(text.prefix(2_000))")
    }
}
