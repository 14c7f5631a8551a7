import Core
import Raft
import Testing

@testable import RaftLog

struct ModelTests {
    static let segmentBytes = 16 << 10

    private func open(_ disk: SimulatedDisk, _ random: inout SeededRandom) throws -> RaftLog {
        try RaftLog(disk: disk, segmentBytes: Self.segmentBytes, seed: random.next())
    }

    @Test(arguments: 0..<60 as Range<UInt64>)
    func `agrees with the obvious model through power cuts`(seed: UInt64) throws {
        let disk = SimulatedDisk()
        var work = LogWorkload(random: SeededRandom(seed: seed))
        var log = try open(disk, &work.random)
        var model = LogModel()
        // What a power cut may leave: the synced state or any later one.
        var possible = [model]
        for _ in 0..<400 {
            switch Int.random(in: 0..<100, using: &work.random) {
            case 0..<60:
                try work.step(&model, log)
                possible.append(model)
            case 60..<96:
                try log.sync()
                possible = [model]
            case 96:
                let found = try LogModel.read(log)
                #expect(found == model)
            case 97:
                // The process ends, the machine goes on.
                log = try open(disk, &work.random)
                #expect(try LogModel.read(log) == model)
                possible = [model]
            default:
                disk.crash(using: &work.random)
                log = try open(disk, &work.random)
                let found = try LogModel.read(log)
                let isPossible = possible.contains(found)
                #expect(isPossible)
                model = found
                possible = [model]
            }
        }
        #expect(try LogModel.read(log) == model)
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `a flipped bit is found, never served`(seed: UInt64) throws {
        let disk = SimulatedDisk()
        var work = LogWorkload(random: SeededRandom(seed: seed))
        var log: RaftLog? = try open(disk, &work.random)
        var model = LogModel()
        var before = model
        for _ in 0..<Int.random(in: 1..<200, using: &work.random) {
            let last = model
            try work.step(&model, #require(log))
            try log?.sync()
            if model != last { before = last }
        }
        log = nil
        let names = try disk.list()
        let name = try #require(names.randomElement(using: &work.random))
        let bytes = try #require(disk.bytes(of: name))
        // Half of the time in the last quarter of what is written, where the tail is.
        let end = (bytes.lastIndex { $0 != 0 } ?? 0) + 1
        let start = Bool.random(using: &work.random) ? end * 3 / 4 : 0
        let offset = Int.random(in: start..<end, using: &work.random)
        disk.flipBit(.random(in: 0..<8, using: &work.random), ofByte: offset, in: name)
        do {
            let found = try LogModel.read(open(disk, &work.random))
            // The last record cannot be told from a torn one; nothing else may be missing. (A log
            // of which there is only the first head is no log yet.)
            let isTornTail = name == names.last && (found == before || found == LogModel())
            #expect(found == model || isTornTail)
        } catch RaftLogError.corrupt(let file, _, _) {
            #expect(names.contains(file))
        }
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func `a full disk harms nothing, and truncating helps`(seed: UInt64) throws {
        let disk = SimulatedDisk()
        disk.setFreeBytes(Self.segmentBytes * 4)
        var work = LogWorkload(random: SeededRandom(seed: seed))
        let log = try open(disk, &work.random)
        let range = RangeID(rawValue: 1)
        var model = LogModel()
        let first = SnapshotMark(position: .zero, membership: work.membership())
        model.reset(range, to: first)
        try log.reset(range, to: first)
        var fullCount = 0
        for _ in 0..<600 {
            let write = work.write(range, model.groups[range]!)
            while try !isAppended(write, log) {
                fullCount += 1
                try #require(fullCount < 600, "truncating does not help")
                // Everything that is applied goes.
                let group = model.groups[range]!
                if write.entries.first.map({ $0.index <= group.last.index }) ?? false { return }
                let mark = SnapshotMark(position: group.last, membership: group.membership)
                model.truncate(range, to: mark)
                try log.truncate(range, to: mark)
                try log.sync()
            }
            model.append(write)
        }
        #expect(try LogModel.read(log) == model)
        #expect(fullCount > 0)
    }

    private func isAppended(_ write: GroupWrite, _ log: RaftLog) throws -> Bool {
        do { try log.append([write]) } catch {
            if error == .full { return false }
            throw error
        }
        return true
    }
}
