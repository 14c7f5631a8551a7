import ChunkStore
import Core
import Synchronization

/// A disk in memory that can lose what was not synced, tear writes, fill up and fail.
package final class SimulatedChunkDisk: ChunkDisk {
    package static let pageBytes = 4096
    package static let sectorBytes = 512
    private static let freeBytes = 1 << 40

    /// `nil` reads as zeros: never written, or a hole.
    package typealias Page = [UInt8]?

    package struct Content {
        package var size = 0
        package var pages: [Int: [UInt8]] = [:]
        package var durableSize = 0
        /// For each page that was changed since the last sync: what it was then, and after each
        /// change but the last.
        package var history: [Int: [Page]] = [:]
        package var syncCount = 0

        package mutating func remember(_ page: Int) {
            history[page, default: []].append(pages[page])
        }
    }

    package struct State {
        package var files: [String: Int] = [:]
        package var contents: [Int: Content] = [:]
        package var nextContent = 0
        package var freeBytes = SimulatedChunkDisk.freeBytes
        package var failsSyncs = false
        package var failsPunches = false
        /// One in so many reads is not cached; 0: none.
        package var uncachedOneIn = 0
        var cachedReadCount = 0
        package var isWriteFull = false
        /// Changes that still succeed; then the power is gone.
        package var operationsLeft = Int.max
        /// The change that meets the end still happens, though nobody is told.
        package var appliesLast = false
        package var isCut = false
        package var operationCount = 0
        package var syncMicroseconds: UInt32 = 0
    }

    package let state: Mutex<State>

    /// Sees the disk in front of each change.
    package let observer = Mutex<(@Sendable (State, String) -> Void)?>(nil)

    package init() { state = Mutex(State()) }

    package init(_ state: State) {
        var state = state
        state.operationsLeft = .max
        state.appliesLast = false
        state.isCut = false
        state.failsSyncs = false
        state.isWriteFull = false
        let named = Set(state.files.values)
        state.contents = state.contents.filter { named.contains($0.key) }
        self.state = Mutex(state)
    }

    package func with<Value>(_ body: (inout State) throws -> Value) rethrows -> Value {
        try state.withLock { try body(&$0) }
    }

    /// The same after the process was killed: all is there, and what was not synced is not yet.
    package func killed() -> SimulatedChunkDisk { SimulatedChunkDisk(with { $0 }) }

    /// What is on the disk after the power went.
    package func crashed(
        _ loss: PowerLoss, using random: inout SeededRandom
    ) -> SimulatedChunkDisk {
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
        return SimulatedChunkDisk(state)
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

    package static let dead = DiskError.failed("the power is gone")

    /// Every change of the disk goes through here.
    package func change<Value: Sendable>(
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

    package func list() -> [String] { with { $0.files.keys.sorted() } }

    package func open(_ name: String) throws(DiskError) -> any ChunkFile {
        guard let content = with({ $0.files[name] }) else { throw .notFound(name) }
        return SimulatedChunkFile(self, content)
    }

    package func create(_ name: String, bytes: Int) throws(DiskError) -> any ChunkFile {
        let number = try change("create \(name)") { state throws(DiskError) in
            guard state.freeBytes >= bytes else { throw .full }
            state.nextContent += 1
            // Cut off in the middle: the file is there, and empty perhaps.
            state.contents[state.nextContent] = Content(
                size: bytes, durableSize: state.isCut ? 0 : bytes)
            state.files[name] = state.nextContent
            return state.nextContent
        }
        return SimulatedChunkFile(self, number)
    }

    package func remove(_ name: String) throws(DiskError) {
        try change("remove \(name)") { state throws(DiskError) in
            guard state.files.removeValue(forKey: name) != nil else { throw .notFound(name) }
        }
    }

    package func freeBytes() -> Int { with { $0.freeBytes } }

    // MARK: Faults

    /// For a dead process: nothing is there, nothing can be changed, and no memory is held.
    package func unplug() { with { $0 = State(operationsLeft: 0) } }

    /// Nothing more can be written or made until ``heal()``.
    package func fill() {
        with { state in
            state.freeBytes = 0
            state.isWriteFull = true
        }
    }

    /// No fault from now on; what was lost or turned stays so.
    package func heal() {
        with { state in
            state.freeBytes = Self.freeBytes
            state.isWriteFull = false
            state.failsSyncs = false
        }
    }

    /// Turns a bit in each of so many pages of segments, drawn from those that hold something;
    /// never in a segment's first page, which is written once and read at start alone.
    package func rot(pages: Int, using random: inout SeededRandom) {
        let places = with { state in
            state.files.filter { $0.key.hasPrefix("segment-") }.sorted { $0.key < $1.key }
                .flatMap { name, number in
                    (state.contents[number]?.pages.keys.sorted() ?? []).filter { $0 > 0 }
                        .map { (name, $0) }
                }
        }
        for _ in 0..<pages {
            guard let (name, page) = places.randomElement(using: &random) else { return }
            let offset = Int.random(in: 0..<Self.pageBytes, using: &random)
            flip(name, at: page * Self.pageBytes + offset)
        }
    }

    // MARK: For tests

    package var segmentNames: [String] { list().filter { $0.hasPrefix("segment-") }.sorted() }

    /// Turns one bit of every page around that holds `bytes`.
    package func flip(_ name: String, at offset: Int) {
        with { state in
            let number = state.files[name]!
            let page = offset / Self.pageBytes
            state.contents[number]!.pages[
                page, default: [UInt8](repeating: 0, count: Self.pageBytes)][
                    offset % Self.pageBytes] ^= 1
        }
    }

    /// Where `bytes` begin in the file.
    package func find(_ bytes: [UInt8], in name: String) -> Int? {
        let content = with { $0.contents[$0.files[name]!]! }
        for (page, data) in content.pages.sorted(by: { $0.key < $1.key }) {
            for start in 0...(Self.pageBytes - bytes.count)
            where data[start..<start + bytes.count].elementsEqual(bytes) {
                return page * Self.pageBytes + start
            }
        }
        return nil
    }

    package func usedPages(_ name: String) -> Int {
        with { $0.contents[$0.files[name]!]!.pages.count }
    }
}
