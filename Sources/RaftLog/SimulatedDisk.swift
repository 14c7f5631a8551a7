import Core
import Synchronization

/// A disk in memory that forgets: what was not synced may be lost at a crash, sector by sector.
package final class SimulatedDisk: LogDisk {
    /// What a disk writes whole or not at all.
    package static let sectorBytes = 512

    fileprivate struct File {
        var live: [UInt8]
        var durable: [UInt8] = []
        /// Writes since the last sync, by place; a crash keeps some of their sectors.
        var unsynced: [Range<Int>] = []
    }

    fileprivate struct State {
        var files: [Int: File] = [:]
        var names: [String: Int] = [:]
        var durableNames: [String: Int] = [:]
        var nextFile = 0
        var freeBytes = Int.max
        var syncCount = 0
        var syncsUntilFailure: Int?
        var writesUntilFailure: Int?
    }

    fileprivate let state = Mutex(State())

    package init() {}

    // MARK: Faults

    /// Room for new files.
    package func setFreeBytes(_ bytes: Int) { state.withLock { $0.freeBytes = bytes } }

    /// The `count`th sync from now fails with an input/output error, and all that follow.
    package func failSync(after count: Int) { state.withLock { $0.syncsUntilFailure = count } }

    /// The `count`th write from now fails for lack of room, once; half of it is written.
    package func failWrite(after count: Int) { state.withLock { $0.writesUntilFailure = count } }

    /// Nothing fails any more.
    package func heal() {
        state.withLock { state in
            state.freeBytes = .max
            state.syncsUntilFailure = nil
            state.writesUntilFailure = nil
        }
    }

    package var syncCount: Int { state.withLock { $0.syncCount } }

    /// Power is lost: of what was not synced, each sector and each name stays or goes by chance.
    package func crash(using random: inout some RandomNumberGenerator) {
        state.withLock { state in
            state.syncsUntilFailure = nil
            state.writesUntilFailure = nil
            let names = Set(state.names.keys).union(state.durableNames.keys).sorted()
            var kept: [String: Int] = [:]
            for name in names {
                let isKept = Bool.random(using: &random)
                kept[name] = isKept ? state.names[name] : state.durableNames[name]
            }
            state.names = kept
            state.durableNames = kept
            for number in state.files.keys.sorted() {
                guard kept.values.contains(number) else {
                    state.files[number] = nil
                    continue
                }
                state.files[number]?.crash(using: &random)
            }
        }
    }

    /// Bad media: flips one bit, durably.
    package func flipBit(_ bit: Int, ofByte offset: Int, in name: String) {
        state.withLock { state in
            guard let number = state.names[name] else { preconditionFailure("no file \(name)") }
            state.files[number]?.live[offset] ^= 1 << UInt8(bit)
            state.files[number]?.durable[offset] ^= 1 << UInt8(bit)
        }
    }

    package func bytes(of name: String) -> [UInt8]? {
        state.withLock { state in
            state.names[name].flatMap { state.files[$0]?.live }
        }
    }

    // MARK: LogDisk

    package func list() throws(DiskError) -> [String] {
        state.withLock { $0.names.keys.sorted() }
    }

    package func create(_ name: String, bytes: Int) throws(DiskError) -> any LogFile {
        let number = state.withLock { state -> Int? in
            precondition(state.names[name] == nil, "\(name) exists")
            guard state.freeBytes >= bytes else { return nil }
            state.freeBytes -= bytes
            state.nextFile += 1
            state.files[state.nextFile] = File(live: [UInt8](repeating: 0, count: bytes))
            state.names[name] = state.nextFile
            return state.nextFile
        }
        guard let number else { throw DiskError(.create, file: name, code: SystemCode.noSpace) }
        return SimulatedFile(disk: self, name: name, number: number)
    }

    package func open(_ name: String) throws(DiskError) -> any LogFile {
        guard let number = state.withLock({ $0.names[name] }) else {
            throw DiskError(.open, file: name, code: SystemCode.noFile)
        }
        return SimulatedFile(disk: self, name: name, number: number)
    }

    package func remove(_ name: String) throws(DiskError) {
        state.withLock { state in
            guard let number = state.names.removeValue(forKey: name) else { return }
            let bytes = state.files[number]?.live.count ?? 0
            if state.freeBytes < Int.max / 2 { state.freeBytes += bytes }
        }
    }

    package func syncDirectory() throws(DiskError) {
        state.withLock { $0.durableNames = $0.names }
    }
}

extension SimulatedDisk.File {
    mutating func crash(using random: inout some RandomNumberGenerator) {
        let sector = SimulatedDisk.sectorBytes
        var result = durable
        // The size: either the synced one or the last one; what is not written reads as zero.
        if durable.isEmpty || Bool.random(using: &random) { result.resize(to: live.count) }
        for range in unsynced {
            for start in stride(
                from: range.lowerBound / sector * sector, to: range.upperBound, by: sector)
            where Bool.random(using: &random) {
                let end = min(start + sector, live.count, result.count)
                if start < end { result.replaceSubrange(start..<end, with: live[start..<end]) }
            }
        }
        live = result
        durable = result
        unsynced = []
    }
}

extension [UInt8] {
    fileprivate mutating func resize(to count: Int) {
        if count < self.count {
            removeLast(self.count - count)
        } else {
            append(contentsOf: repeatElement(0, count: count - self.count))
        }
    }
}

private final class SimulatedFile: LogFile {
    private let disk: SimulatedDisk
    let name: String
    private let number: Int

    init(disk: SimulatedDisk, name: String, number: Int) {
        self.disk = disk
        self.name = name
        self.number = number
    }

    private func withFile<Value: Sendable>(_ body: (inout SimulatedDisk.File) -> Value) -> Value {
        disk.state.withLock { state in
            guard var file = state.files.removeValue(forKey: number) else {
                preconditionFailure("\(name) did not survive the crash")
            }
            defer { state.files[number] = file }
            return body(&file)
        }
    }

    func size() throws(DiskError) -> Int { withFile { $0.live.count } }

    func read(_ range: Range<Int>) throws(DiskError) -> [UInt8] {
        withFile { Array($0.live[range.clamped(to: 0..<$0.live.count)]) }
    }

    func write(_ bytes: [UInt8], at offset: Int) throws(DiskError) {
        let isFailing = disk.state.withLock { state -> Bool in
            guard let left = state.writesUntilFailure else { return false }
            state.writesUntilFailure = left > 1 ? left - 1 : nil
            return left <= 1
        }
        let written = isFailing ? bytes.count / 2 : bytes.count
        withFile { file in
            if file.live.count < offset + written { file.live.resize(to: offset + written) }
            file.live.replaceSubrange(offset..<offset + written, with: bytes[..<written])
            file.unsynced.append(offset..<offset + written)
        }
        if isFailing { throw DiskError(.write, file: name, code: SystemCode.noSpace) }
    }

    func sync() throws(DiskError) {
        let isFailing = disk.state.withLock { state -> Bool in
            state.syncCount += 1
            guard let left = state.syncsUntilFailure else { return false }
            state.syncsUntilFailure = max(left - 1, 1)
            return left <= 1
        }
        if isFailing { throw DiskError(.sync, file: name, code: SystemCode.inputOutput) }
        withFile { file in
            // Only what was written since: copying whole segments would make tests slow.
            if file.durable.count != file.live.count {
                file.durable = file.live
            } else {
                for range in file.unsynced {
                    file.durable.replaceSubrange(range, with: file.live[range])
                }
            }
            file.unsynced = []
        }
    }

    func truncate(to bytes: Int) throws(DiskError) {
        let freed = withFile { $0.live.count } - bytes
        disk.state.withLock { if $0.freeBytes < Int.max / 2 { $0.freeBytes += freed } }
        withFile { file in
            file.live.resize(to: bytes)
            file.unsynced = file.unsynced.map { $0.clamped(to: 0..<bytes) }
        }
    }
}
