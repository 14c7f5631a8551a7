import Core
import Foundation
import Messages
import Testing

@testable import Catalogue

/// Gateways with wrong clocks, some of which die half-way, storage nodes that sweep, move and
/// forget, fences raised by anybody's clock, all in one random order: whatever a range names was
/// never swept, and in the end nothing else is left.
struct SweepModelTests {
    private struct Put {
        let range: Int
        let key: String
        let chunk: Data
        let command: ProtoRangeCommand
    }

    private struct Sweep {
        let node: Int
        var chunks: [Data]
        var nextRange = 0
    }

    private final class World {
        let scratch: ScratchDirectory
        var ranges: [RangeStore] = []
        var make: CommandMaker
        var nodes: [Set<Data>] = Array(repeating: [], count: 3)
        var tombstones: [Set<Data>] = Array(repeating: [], count: 3)
        var pending: [Put] = []
        var sweeps: [Sweep] = []
        var swept: Set<Data> = []
        var sweptCount = 0
        var refusedCount = 0

        init(seed: UInt64) throws {
            scratch = try ScratchDirectory()
            make = CommandMaker(seed: seed)
            for number in 0..<2 { ranges.append(try open(number)) }
        }

        func open(_ number: Int) throws -> RangeStore {
            try RangeStore.open(
                path: scratch.file("range\(number)"), range: RangeID(rawValue: UInt32(number + 1)))
        }

        func pick(_ count: Int) -> Int { Int.random(in: 0..<count, using: &make.random) }

        /// A clock: mostly right, sometimes far off.
        func clock() -> Int64 {
            guard pick(5) == 0 else { return make.time }
            return make.time + Int64.random(in: -600_000...600_000, using: &make.random)
        }

        func beginPut() {
            let time = make.time
            make.time = clock()
            let key = "k\(pick(12))"
            let command = make.put(key, size: 1_000)
            make.time = time
            let chunk = command.putObject.body.chunkIDs[0]
            for node in 0..<3 where pick(8) != 0 { nodes[node].insert(chunk) }
            pending.append(Put(range: pick(2), key: key, chunk: chunk, command: command))
        }

        /// The gateway comes to its end, or has died.
        func endPut() throws {
            guard !pending.isEmpty else { return }
            let put = pending.remove(at: pick(pending.count))
            if pick(4) == 0 { return }
            var command = put.command
            command.timeMs = make.time
            let result = try ranges[put.range].apply(command)
            if result.failure == .chunkTooOld { refusedCount += 1 }
        }

        func collectGarbage() throws {
            let range = ranges[pick(2)]
            guard let row = try range.garbage().first else { return }
            for node in 0..<3 { bury(row.chunks, on: node) }
            _ = try range.apply(make.range { $0.garbageDone.rows = [row.row] })
        }

        func bury(_ chunks: [Data], on node: Int) {
            nodes[node].subtract(chunks)
            tombstones[node].formUnion(chunks)
        }

        /// A partition moves, or a copy is repaired.
        func copy() {
            let (from, to) = (pick(3), pick(3))
            let missing = nodes[from].subtracting(nodes[to]).subtracting(tombstones[to])
            nodes[to].formUnion(missing)
        }

        func beginSweep() {
            let node = pick(3)
            let chunks = nodes[node].sorted { $0.lexicographicallyPrecedes($1) }
            sweeps.append(Sweep(node: node, chunks: Array(chunks.prefix(1_000))))
        }

        func stepSweep() throws {
            guard !sweeps.isEmpty else { return }
            let index = pick(sweeps.count)
            let asked = sweeps[index].chunks
            sweeps[index].chunks = try ranges[sweeps[index].nextRange].ask {
                (query: inout ProtoRangeQuery) in query.findUnnamed.chunks = asked
            }.unnamed.chunks
            sweeps[index].nextRange += 1
            guard sweeps[index].nextRange == ranges.count else { return }
            let done = sweeps.remove(at: index)
            sweptCount += done.chunks.count
            swept.formUnion(done.chunks)
            bury(done.chunks, on: done.node)
        }

        func raiseFence() throws {
            let seconds = UInt32(clamping: (clock() - 60_000) / 1000)
            _ = try ranges[pick(2)].apply(make.raiseFence(to: seconds))
        }

        func restart() throws {
            let number = pick(2)
            ranges[number].close()
            ranges[number] = try open(number)
        }

        func named() throws -> Set<Data> {
            var named: Set<Data> = []
            for range in ranges {
                for row in try range.list().objects {
                    let key = String(decoding: row.key, as: UTF8.self)
                    named.formUnion(try range.get(key).object.body.chunkIDs)
                }
            }
            return named
        }

        func step() throws {
            make.time += Int64(pick(4_000))
            switch pick(14) {
            case 0...3: beginPut()
            case 4...6: try endPut()
            case 7: try raiseFence()
            case 8: beginSweep()
            case 9, 10: try stepSweep()
            case 11: _ = try ranges[pick(2)].apply(make.delete("k\(pick(12))"))
            case 12: try collectGarbage()
            default: if pick(6) == 0 { try restart() } else { copy() }
            }
        }
    }

    @Test(arguments: 0..<16 as Range<UInt64>)
    func `what is named is never swept, and all else is in the end`(seed: UInt64) throws {
        let world = try World(seed: seed)
        for _ in 0..<600 {
            try world.step()
            if !world.swept.isEmpty {
                #expect(try world.named().isDisjoint(with: world.swept), "seed \(seed)")
            }
        }
        while !world.pending.isEmpty { try world.endPut() }
        world.sweeps = []
        for range in world.ranges {
            _ = try range.apply(world.make.raiseFence(to: .max))
            while let row = try range.garbage().first {
                for node in 0..<3 { world.bury(row.chunks, on: node) }
                _ = try range.apply(world.make.range { $0.garbageDone.rows = [row.row] })
            }
        }
        for _ in 0..<60 {
            world.beginSweep()
            while !world.sweeps.isEmpty { try world.stepSweep() }
        }
        let named = try world.named()
        #expect(named.isDisjoint(with: world.swept), "seed \(seed)")
        for node in world.nodes { #expect(node.isSubset(of: named), "seed \(seed)") }
        #expect(world.sweptCount > 0 && world.refusedCount > 0, "seed \(seed): nothing happened")
    }
}
