import ChunkStore
import Core
import Foundation
import Synchronization

/// What a power loss leaves of what was not synced. Whatever it is, pages are independent of each
/// other: a later one may be there without an earlier one.
enum PowerLoss: Hashable, CaseIterable {
    /// Nothing.
    case nothing
    /// All of it.
    case everything
    /// The first half of each page.
    case halfPages
    /// Every other page: first the even ones, then the odd ones.
    case evenPages, oddPages
    /// For each page one of the states that it went through, torn at a sector or not.
    case random
}

/// A disk in memory that can lose what was not synced, tear writes, fill up and fail.
final class SimulatedDisk: ChunkDisk {
    static let pageBytes = 4096
    static let sectorBytes = 512

    /// `nil` reads as zeros: never written, or a hole.
    typealias Page = [UInt8]?

    struct Content {
        var size = 0
        var pages: [Int: [UInt8]] = [:]
        var durableSize = 0
        /// For each page that was changed since the last sync: what it was then, and after each
        /// change but the last.
        var history: [Int: [Page]] = [:]
        var syncCount = 0

        mutating func remember(_ page: Int) { history[page, default: []].append(pages[page]) }
    }

    struct State {
        var files: [String: Int] = [:]
        var contents: [Int: Content] = [:]
        var nextContent = 0
        var freeBytes = 1 << 40
        var failsSyncs = false
        var failsPunches = false
        var isWriteFull = false
        /// Changes that still succeed; then the power is gone.
        var operationsLeft = Int.max
        /// The change that meets the end still happens, though nobody is told.
        var appliesLast = false
        var isCut = false
        var operationCount = 0
        var syncMicroseconds: UInt32 = 0
    }

    let state: Mutex<State>

    /// Sees the disk in front of each change.
    let observer = Mutex<(@Sendable (State, String) -> Void)?>(nil)

    init() { state = Mutex(State()) }

    init(_ state: State) {
        var state = state
        state.operationsLeft = .max
        state.appliesLast = false
        state.isCut = false
        state.failsSyncs = false
        state.isWriteFull = false
        self.state = Mutex(state)
    }

    func with<Value>(_ body: (inout State) throws -> Value) rethrows -> Value {
        try state.withLock { try body(&$0) }
    }

    /// The same after the process was killed: all is there, and what was not synced is not yet.
    func killed() -> SimulatedDisk { SimulatedDisk(with { $0 }) }

    /// What is on the disk after the power went.
    func crashed(_ loss: PowerLoss, using random: inout SeededRandom) -> SimulatedDisk {
        var state = with { $0 }
        for (number, var content) in state.contents.sorted(by: { $0.key < $1.key }) {
            for page in content.history.keys.sorted() {
                content.pages[page] = Self.left(page, of: content, loss, using: &random)
            }
            let isShort =
                switch loss {
                case .nothing: true
                case .random: Bool.random(using: &random)
                default: false
                }
            if isShort { content.size = content.durableSize }
            content.pages = content.pages.filter { $0.key * Self.pageBytes < content.size }
            content.durableSize = content.size
            content.history = [:]
            state.contents[number] = content
        }
        return SimulatedDisk(state)
    }

    private static func left(
        _ page: Int, of content: Content, _ loss: PowerLoss, using random: inout SeededRandom
    ) -> Page {
        let states = content.history[page]! + [content.pages[page]]
        func torn(_ old: Page, _ new: Page, at cut: Int) -> Page {
            let zeros = [UInt8](repeating: 0, count: pageBytes)
            return Array((new ?? zeros)[..<cut]) + Array((old ?? zeros)[cut...])
        }
        switch loss {
        case .nothing: return states.first!
        case .everything: return states.last!
        case .halfPages: return torn(states.first!, states.last!, at: pageBytes / 2)
        case .evenPages: return page % 2 == 0 ? states.last! : states.first!
        case .oddPages: return page % 2 == 1 ? states.last! : states.first!
        case .random:
            let one = Int.random(in: 0..<states.count, using: &random)
            guard one + 1 < states.count, Bool.random(using: &random) else { return states[one] }
            let cut = Int.random(in: 1..<8, using: &random) * sectorBytes
            return torn(states[one], states[one + 1], at: cut)
        }
    }

    static let dead = DiskError.failed("the power is gone")

    /// Every change of the disk goes through here.
    func change<Value: Sendable>(
        _ what: @autoclosure () -> String, _ body: (inout State) throws(DiskError) -> Value
    ) throws(DiskError) -> Value {
        let observer = observer.withLock { $0 }
        return try state.withLock { state throws(DiskError) in
            observer?(state, what())
            let isLast = state.operationsLeft == 0
            if isLast {
                guard state.appliesLast else { throw Self.dead }
                state.appliesLast = false
                state.isCut = true
            } else if state.operationsLeft != .max {
                state.operationsLeft -= 1
            }
            state.operationCount += 1
            let value = try body(&state)
            if isLast { throw Self.dead }
            return value
        }
    }

    // MARK: ChunkDisk

    func list() -> [String] { with { Array($0.files.keys) } }

    func open(_ name: String) throws(DiskError) -> any ChunkFile {
        guard let content = with({ $0.files[name] }) else { throw .notFound(name) }
        return SimulatedFile(self, content)
    }

    func create(_ name: String, bytes: Int) throws(DiskError) -> any ChunkFile {
        let number = try change("create \(name)") { state throws(DiskError) in
            guard state.freeBytes >= bytes else { throw .full }
            state.nextContent += 1
            // Cut off in the middle: the file is there, and empty perhaps.
            state.contents[state.nextContent] = Content(
                size: bytes, durableSize: state.isCut ? 0 : bytes)
            state.files[name] = state.nextContent
            return state.nextContent
        }
        return SimulatedFile(self, number)
    }

    func remove(_ name: String) throws(DiskError) {
        try change("remove \(name)") { state throws(DiskError) in
            guard state.files.removeValue(forKey: name) != nil else { throw .notFound(name) }
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
        try disk.change("write \(number) at \(offset)") { state throws(DiskError) in
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
            content.remember(page)
            content.pages[page, default: [UInt8](repeating: 0, count: size)]
                .replaceSubrange(start..<start + count, with: bytes[done..<done + count])
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
        try disk.change("sync \(number)") { state throws(DiskError) in
            if state.failsSyncs { throw .failed("EIO") }
            state.contents[number]!.history = [:]
            state.contents[number]!.durableSize = state.contents[number]!.size
            state.contents[number]!.syncCount += 1
        }
    }

    func writePages(_ pages: UnsafeRawBufferPointer, at offset: Int) throws(DiskError) {
        try write([pages], at: offset)
    }

    func punch(_ range: Range<Int>) throws(DiskError) {
        try disk.change("punch \(number) \(range)") { state throws(DiskError) in
            if state.failsPunches { throw .failed("EOPNOTSUPP") }
            let size = SimulatedDisk.pageBytes
            precondition(range.lowerBound % size == 0 && range.upperBound % size == 0)
            for page in range.lowerBound / size..<range.upperBound / size
            where state.contents[number]!.pages[page] != nil {
                state.contents[number]!.remember(page)
                state.contents[number]!.pages[page] = nil
            }
        }
    }

    func truncate(to bytes: Int) throws(DiskError) {
        try disk.change("truncate \(number) to \(bytes)") { state throws(DiskError) in
            state.contents[number]!.size = bytes
            for page in state.contents[number]!.pages.keys
            where page * SimulatedDisk.pageBytes >= bytes {
                state.contents[number]!.remember(page)
                state.contents[number]!.pages[page] = nil
            }
        }
    }

    func nextData(from offset: Int) -> Int? {
        disk.with { state in
            let content = state.contents[number]!
            let first = offset / SimulatedDisk.pageBytes
            let count = (content.size + SimulatedDisk.pageBytes - 1) / SimulatedDisk.pageBytes
            guard first < count else { return nil }
            return (first..<count).first { content.pages[$0] != nil }
                .map { max(offset, $0 * SimulatedDisk.pageBytes) }
        }
    }
}
