import Core
import Simulation

@testable import ChunkStore

/// Operations and crashes, all from one seed.
struct CrashWorkload {
    private var random: SeededRandom
    private var crashing: CrashingStore
    /// Chunks in use: few, so that each sees many things. Deleted ones give their place up.
    private var pool: [ChunkID] = []
    private var nextNumber: UInt64
    /// Bursts run on many threads: then the seed alone is not the whole story.
    private let hasBursts: Bool
    private(set) var crashCount = 0

    init(seed: UInt64, hasBursts: Bool) throws {
        random = SeededRandom(seed: seed)
        crashing = try CrashingStore()
        nextNumber = seed << 32
        self.hasBursts = hasBursts
        for _ in 0..<18 { pool.append(fresh()) }
    }

    private mutating func fresh() -> ChunkID {
        nextNumber += 1
        return chunk(nextNumber, partition: nextNumber % 3 == 0 ? 8 : 7)
    }

    private mutating func percent(_ chance: Int) -> Bool {
        Int.random(in: 0..<100, using: &random) < chance
    }

    private mutating func pick(_ count: ClosedRange<Int>) -> [ChunkID] {
        let count = Int.random(in: count, using: &random)
        return Array(pool.shuffled(using: &random).prefix(count))
    }

    /// - Returns: What went wrong, and when; empty when all is well.
    mutating func run(steps: Int) async throws -> [String] {
        for number in 0..<steps {
            let wrong = try await step()
            if !wrong.isEmpty { return ["step \(number)"] + wrong }
        }
        let wrong = try await crash()
        await crashing.store.close()
        return wrong
    }

    private mutating func step() async throws -> [String] {
        if percent(8) { arm() }
        if percent(25) { crashing.copyIndex() }
        try await act()
        if crashing.isDead || percent(3) { return try await crash() }
        if percent(3) {
            try await crashing.kill(percent(40) ? .everything : .nothing)
            crashCount += 1
            return try crashing.check().map { "after a kill: " + $0 }
        }
        return percent(10) ? try crashing.check().map { "live: " + $0 } : []
    }

    /// From now on the disk has so many changes to go.
    private mutating func arm() {
        let operations = Int.random(in: 0..<16, using: &random)
        let appliesLast = Bool.random(using: &random)
        crashing.test.disk.with {
            $0.operationsLeft = operations
            $0.appliesLast = appliesLast
        }
    }

    private mutating func crash() async throws -> [String] {
        crashCount += 1
        let loss = percent(70) ? .random : PowerLoss.allCases.randomElement(using: &random)!
        let indexLoss = IndexLoss.allCases.randomElement(using: &random)!
        let again = percent(30) ? Int.random(in: 0..<24, using: &random) : nil
        try await crashing.cut(loss, indexLoss, again: again, using: &random)
        return try crashing.check().map { "after \(loss), index \(indexLoss): " + $0 }
    }

    private mutating func act() async throws {
        switch Int.random(in: 0..<100, using: &random) {
        case ..<36: try await write(pick(1...1)[0], replacing: false)
        case ..<44: try await write(pick(1...1)[0], replacing: true)
        case ..<50:
            if crashing.writes.count < 3 {
                try await crashing.begin(pick(1...1)[0], replacing: percent(30))
            }
        case ..<60: try await goOn()
        case ..<67:
            let chunks = pick(1...3)
            try await crashing.delete(chunks)
            replace(chunks)
        case ..<84: try await crashing.drop(pick(1...4))
        case ..<89: await crashing.flush()
        case ..<96:
            crashing.test.clocks.advance(milliseconds: percent(50) ? 61_000 : 1_000)
            if percent(10) { await letTombstonesExpire() }
            await crashing.maintain()
        case 96:
            crashing.test.disk.with { $0.isWriteFull = true }
            try await write(pick(1...1)[0], replacing: percent(50))
            try await crashing.drop(pick(1...2))
            crashing.test.disk.with { $0.isWriteFull = false }
        case 97: crashing.test.disk.with { $0.failsPunches.toggle() }
        default: if hasBursts { try await burst() }
        }
    }

    private mutating func write(_ chunk: ChunkID, replacing: Bool) async throws {
        if ChunkModel.byteCount(of: chunk) > ChunkStoreLimits.smallBytesMax {
            try await crashing.writeInPieces(chunk, replacing: replacing)
        } else {
            try await crashing.write(chunk, replacing: replacing)
        }
    }

    /// Goes on with a write that has begun.
    private mutating func goOn() async throws {
        guard !crashing.writes.isEmpty else { return }
        let place = Int.random(in: 0..<crashing.writes.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0, 1:
            let count = Int.random(in: 1...100_000, using: &random)
            try await crashing.append(count, to: place)
        case 2, 3: try await crashing.commit(place)
        default: await crashing.abort(place)
        }
    }

    private mutating func burst() async throws {
        let small = pick(8...8).filter {
            ChunkModel.byteCount(of: $0) <= ChunkStoreLimits.smallBytesMax
        }
        let deletes = Array(small.prefix(1))
        try await crashing.burst(
            writes: Array(small.dropFirst(4)), deletes: deletes,
            drops: Array(small.dropFirst(1).prefix(3)))
        replace(deletes)
    }

    private mutating func replace(_ deleted: [ChunkID]) {
        for chunk in deleted where percent(80) {
            if let place = pool.firstIndex(of: chunk) { pool[place] = fresh() }
        }
    }

    private mutating func letTombstonesExpire() async {
        while !crashing.writes.isEmpty { await crashing.abort(0) }
        crashing.test.clocks.advance(
            milliseconds: UInt64(ChunkStoreLimits.tombstoneMilliseconds) + 1)
        crashing.model.expire()
        for place in pool.indices where crashing.model[pool[place]].contains(.deleted) {
            pool[place] = fresh()
        }
    }
}
