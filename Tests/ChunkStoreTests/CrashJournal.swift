import Core
import Foundation
import Simulation
import Synchronization

@testable import ChunkStore

/// Keeps a store's disk and its index as they are in front of every change of either: all points
/// at which the power may go.
final class CrashJournal: Sendable {
    struct Point: Sendable {
        let disk: SimulatedChunkDisk.State
        /// What a power cut may leave of SQLite's files; the first is all of it.
        let indexes: [IndexCopy]
        /// What was promised by then.
        let model: ChunkModel
        /// The change that came next.
        let next: String
    }

    private struct State {
        var points: [Point] = []
        var model = ChunkModel()
        var disk: SimulatedChunkDisk?
        var folder = ""
        /// Of the index as it is now.
        var indexes: [IndexCopy] = []
        var isIndexChanged = true
        var copyCount: UInt64 = 0
    }

    private let state = Mutex(State())
    /// Ways in which the index is cut, beside all of it.
    private let indexCutCount: Int

    init(indexCutCount: Int) {
        SimulatedFiles.install()
        self.indexCutCount = indexCutCount
    }

    var points: [Point] { state.withLock { $0.points } }

    func set(_ model: ChunkModel) { state.withLock { $0.model = model } }

    func begin(_ disk: SimulatedChunkDisk, folder: String) {
        state.withLock { state in
            state.disk = disk
            state.folder = folder
        }
        disk.observer.withLock { $0 = { [weak self] in self?.add($0, $1, isIndex: false) } }
        SimulatedFiles.observe(under: folder) { [weak self] change in
            let name = change.path.split(separator: "/").last.map(String.init) ?? ""
            self?.add(disk.with { $0 }, "\(change.kind) \(name)", isIndex: true)
        }
    }

    /// Adds the point of now, and no others.
    func end() {
        let (disk, folder) = state.withLock { ($0.disk, $0.folder) }
        guard let disk else { return }
        disk.observer.withLock { $0 = nil }
        SimulatedFiles.observe(under: folder, nil)
        add(disk.with { $0 }, "the end", isIndex: false)
    }

    private func add(_ disk: SimulatedChunkDisk.State, _ next: String, isIndex: Bool) {
        state.withLock { state in
            if state.isIndexChanged { state.indexes = copies(&state) }
            state.isIndexChanged = isIndex
            state.points.append(
                Point(disk: disk, indexes: state.indexes, model: state.model, next: next))
        }
    }

    private func copies(_ state: inout State) -> [IndexCopy] {
        let name = "/index.sqlite"
        var copies = [IndexCopy(of: state.folder + name)]
        for _ in 0..<indexCutCount {
            state.copyCount += 1
            var random = SeededRandom(seed: state.copyCount)
            let copy = state.folder + "-cut"
            try? SimulatedFiles.powerCut(from: state.folder, to: copy, using: &random)
            let cut = IndexCopy(of: copy + name)
            try? FileManager.default.removeItem(atPath: copy)
            if !copies.contains(cut) { copies.append(cut) }
        }
        return copies
    }
}

extension SimulatedChunkDisk.State {
    /// What a power cut may leave in several states: pages, and sizes of files.
    enum Thing: Hashable {
        case page(content: Int, number: Int)
        case size(content: Int)
    }

    var things: [Thing] {
        contents.sorted { $0.key < $1.key }.flatMap { number, content in
            let pages = content.history.keys.sorted().map {
                Thing.page(content: number, number: $0)
            }
            return content.size == content.durableSize ? pages : pages + [.size(content: number)]
        }
    }

    /// In how many states each may be: of a page those that it went through, and the last change
    /// torn in the middle.
    func counts(of things: [Thing]) -> [Int] {
        things.map { thing in
            switch thing {
            case .page(let content, let number): contents[content]!.history[number]!.count + 2
            case .size: 2
            }
        }
    }

    /// The disk after a power cut: the pages in the states of the variant.
    func after(_ variant: [Int], of things: [Thing]) -> SimulatedChunkDisk.State {
        var state = self
        for (thing, number) in zip(things, variant) {
            switch thing {
            case .page(let content, let page):
                let live = contents[content]!.pages[page]
                var pages = contents[content]!.history[page]!
                pages.append(Self.torn(pages[pages.count - 1], live))
                pages.append(live)
                state.contents[content]!.pages[page] = pages[number]
            case .size(let content):
                if number == 0 { state.contents[content]!.size = contents[content]!.durableSize }
            }
        }
        for (number, content) in state.contents {
            let size = content.size
            state.contents[number]!.pages = content.pages.filter {
                $0.key * SimulatedChunkDisk.pageBytes < size
            }
            state.contents[number]!.durableSize = size
            state.contents[number]!.history = [:]
        }
        return state
    }

    private static func torn(
        _ old: SimulatedChunkDisk.Page, _ new: SimulatedChunkDisk.Page
    ) -> SimulatedChunkDisk.Page {
        let zeros = [UInt8](repeating: 0, count: SimulatedChunkDisk.pageBytes)
        let half = SimulatedChunkDisk.pageBytes / 2
        return Array((new ?? zeros)[..<half]) + Array((old ?? zeros)[half...])
    }

    /// Equal for disks that a program cannot tell apart.
    func combine(into hasher: inout Hasher) {
        for (name, number) in files.sorted(by: { $0.key < $1.key }) {
            hasher.combine(name)
            guard let content = contents[number] else { continue }
            hasher.combine(content.size)
            for (page, bytes) in content.pages.sorted(by: { $0.key < $1.key }) {
                hasher.combine(page)
                bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
            }
        }
    }
}
