import ChunkStore
import Core
import Foundation
import Synchronization

/// A disk in memory that can lose what was not synced, tear writes, fill up and fail.
final class SimulatedDisk: ChunkDisk {
    static let pageBytes = 4096
    static let sectorBytes = 512

    struct Content {
        var size = 0
        /// Pages that are not there are zeros.
        var pages: [Int: [UInt8]] = [:]
        var durableSize = 0
        var durablePages: [Int: [UInt8]] = [:]
        var dirty: Set<Int> = []
        var syncCount = 0
    }

    struct State {
        var files: [String: Int] = [:]
        var contents: [Int: Content] = [:]
        /// Removed, but a crash may bring them back.
        var removed: [String: Int] = [:]
        var nextContent = 0
        var freeBytes = 1 << 40
        var failsSyncs = false
        var isWriteFull = false
        /// Changes that still succeed; then the power is gone.
        var operationsLeft = Int.max
        var syncMicroseconds: UInt32 = 0
    }

    let state: Mutex<State>

    init() { state = Mutex(State()) }

    private init(_ state: State) { self.state = Mutex(state) }

    func with<Value>(_ body: (inout State) throws -> Value) rethrows -> Value {
        try state.withLock { try body(&$0) }
    }

    /// What is on the disk after the power went: synced bytes, and of the others a random part,
    /// torn at sectors.
    func crashed(using random: inout SeededRandom) -> SimulatedDisk {
        var state = with { $0 }
        for (name, content) in state.removed.sorted(by: { $0.key < $1.key })
        where Bool.random(using: &random) { state.files[name] = content }
        state.removed = [:]
        for (number, var content) in state.contents.sorted(by: { $0.key < $1.key }) {
            for page in content.dirty.sorted() {
                let old = content.durablePages[page]
                let new = content.pages[page]
                switch Int.random(in: 0..<3, using: &random) {
                case 0: content.pages[page] = old
                case 1: break
                default:
                    let zeros = [UInt8](repeating: 0, count: Self.pageBytes)
                    let cut =
                        Int.random(in: 0...8, using: &random) * Self.sectorBytes
                    content.pages[page] =
                        Array((new ?? zeros)[..<cut]) + Array((old ?? zeros)[cut...])
                }
            }
            if Bool.random(using: &random) { content.size = content.durableSize }
            content.durablePages = content.pages
            content.durableSize = content.size
            content.dirty = []
            state.contents[number] = content
        }
        state.operationsLeft = .max
        state.failsSyncs = false
        state.isWriteFull = false
        return SimulatedDisk(state)
    }

    private static let dead = DiskError.failed("the power is gone")

    static func spend(_ state: inout State) throws(DiskError) {
        guard state.operationsLeft > 0 else { throw dead }
        if state.operationsLeft != .max { state.operationsLeft -= 1 }
    }

    // MARK: ChunkDisk

    func list() -> [String] { with { Array($0.files.keys) } }

    func open(_ name: String) throws(DiskError) -> any ChunkFile {
        guard let content = with({ $0.files[name] }) else { throw .notFound(name) }
        return SimulatedFile(self, content)
    }

    func create(_ name: String, bytes: Int) throws(DiskError) -> any ChunkFile {
        let number = try state.withLock { state throws(DiskError) in
            try Self.spend(&state)
            guard state.freeBytes >= bytes else { throw .full }
            state.nextContent += 1
            state.contents[state.nextContent] = Content(size: bytes, durableSize: bytes)
            state.files[name] = state.nextContent
            return state.nextContent
        }
        return SimulatedFile(self, number)
    }

    func remove(_ name: String) throws(DiskError) {
        try state.withLock { state throws(DiskError) in
            try Self.spend(&state)
            guard let content = state.files.removeValue(forKey: name) else {
                throw .notFound(name)
            }
            state.removed[name] = content
        }
    }

    func freeBytes() -> Int { with { $0.freeBytes } }

    // MARK: For tests

    var segmentNames: [String] { list().filter { $0.hasPrefix("segment-") }.sorted() }

    /// Turns one bit of every page around that holds `bytes`.
    func flip(_ name: String, at offset: Int) {
        with { state in
            let number = state.files[name]!
            let page = offset / Self.pageBytes
            state.contents[number]!.pages[
                page, default: [UInt8](repeating: 0, count: Self.pageBytes)][
                    offset % Self.pageBytes] ^= 1
            state.contents[number]!.durablePages[page] = state.contents[number]!.pages[page]
        }
    }

    /// Where `bytes` begin in the file.
    func find(_ bytes: [UInt8], in name: String) -> Int? {
        let content = with { $0.contents[$0.files[name]!]! }
        for (page, data) in content.pages.sorted(by: { $0.key < $1.key }) {
            for start in 0...(Self.pageBytes - bytes.count)
            where data[start..<start + bytes.count].elementsEqual(bytes) {
                return page * Self.pageBytes + start
            }
        }
        return nil
    }

    func usedPages(_ name: String) -> Int { with { $0.contents[$0.files[name]!]!.pages.count } }
}

final class SimulatedFile: ChunkFile {
    private let disk: SimulatedDisk
    private let number: Int

    init(_ disk: SimulatedDisk, _ number: Int) {
        self.disk = disk
        self.number = number
    }

    func size() -> Int { disk.with { $0.contents[number]!.size } }

    func write(_ pieces: [UnsafeRawBufferPointer], at offset: Int) throws(DiskError) {
        try disk.state.withLock { state throws(DiskError) in
            try SimulatedDisk.spend(&state)
            if state.isWriteFull { throw .full }
            var offset = offset
            for piece in pieces {
                Self.put(piece, at: offset, in: &state.contents[number]!)
                offset += piece.count
            }
        }
    }

    private static func put(
        _ bytes: UnsafeRawBufferPointer, at offset: Int, in content: inout SimulatedDisk.Content
    ) {
        let size = SimulatedDisk.pageBytes
        var done = 0
        while done < bytes.count {
            let page = (offset + done) / size
            let start = (offset + done) % size
            let count = min(size - start, bytes.count - done)
            content.pages[page, default: [UInt8](repeating: 0, count: size)]
                .replaceSubrange(start..<start + count, with: bytes[done..<done + count])
            content.dirty.insert(page)
            done += count
        }
        content.size = max(content.size, offset + bytes.count)
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        disk.with { state in
            let content = state.contents[number]!
            let end = min(offset + buffer.count, content.size)
            guard offset < end else { return 0 }
            let size = SimulatedDisk.pageBytes
            var place = offset
            while place < end {
                let count = min(size - place % size, end - place)
                let target = UnsafeMutableRawBufferPointer(
                    rebasing: buffer[place - offset..<place - offset + count])
                if let page = content.pages[place / size] {
                    target.copyBytes(from: page[place % size..<place % size + count])
                } else {
                    target.initializeMemory(as: UInt8.self, repeating: 0)
                }
                place += count
            }
            return end - offset
        }
    }

    func readCached(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool {
        read(into: buffer, at: offset) == buffer.count
    }

    func sync() throws(DiskError) {
        let delay = disk.with { $0.syncMicroseconds }
        if delay > 0 { usleep(delay) }
        try disk.state.withLock { state throws(DiskError) in
            try SimulatedDisk.spend(&state)
            if state.failsSyncs { throw .failed("EIO") }
            for page in state.contents[number]!.dirty {
                state.contents[number]!.durablePages[page] = state.contents[number]!.pages[page]
            }
            state.contents[number]!.dirty = []
            state.contents[number]!.durableSize = state.contents[number]!.size
            state.contents[number]!.syncCount += 1
        }
    }

    func writePages(_ pages: UnsafeRawBufferPointer, at offset: Int) throws(DiskError) {
        try write([pages], at: offset)
    }

    func punch(_ range: Range<Int>) throws(DiskError) {
        try disk.state.withLock { state throws(DiskError) in
            try SimulatedDisk.spend(&state)
            let size = SimulatedDisk.pageBytes
            precondition(range.lowerBound % size == 0 && range.upperBound % size == 0)
            for page in range.lowerBound / size..<range.upperBound / size {
                if state.contents[number]!.pages.removeValue(forKey: page) != nil {
                    state.contents[number]!.dirty.insert(page)
                }
            }
        }
    }

    func truncate(to bytes: Int) throws(DiskError) {
        try disk.state.withLock { state throws(DiskError) in
            try SimulatedDisk.spend(&state)
            state.contents[number]!.size = bytes
            for page in state.contents[number]!.pages.keys
            where page * SimulatedDisk.pageBytes >= bytes {
                state.contents[number]!.pages[page] = nil
                state.contents[number]!.dirty.insert(page)
            }
        }
    }

    func nextData(from offset: Int) -> Int? {
        disk.with { state in
            let content = state.contents[number]!
            let first = offset / SimulatedDisk.pageBytes
            guard let page = content.pages.keys.filter({ $0 >= first }).min() else { return nil }
            return max(offset, page * SimulatedDisk.pageBytes)
        }
    }
}
