import Core
import Foundation
import Simulation
import Synchronization

@testable import Catalogue

/// A directory with a store's files of which a copy is made in front of every change: what a reboot
/// finds if the power goes there.
///
/// SQLite's writes and syncs come from the simulated disk, the store's own through ``FileSync``.
/// Names count as well: a file that was renamed or removed may be back until the directory is
/// synced.
final class CrashedDirectory: Sendable {
    struct Point: Sendable {
        let number: Int
        /// The change that came next.
        let next: String
        /// What the test had noted by then.
        let note: Int
        /// Directories with what is left, by variant.
        let copies: [(variant: [Int], path: String)]
    }

    /// A name that the next sync of the directory makes durable.
    private struct NameChange {
        /// The file that the name had before, under a name of ours.
        let former: String?
        let name: String
        /// Where the file comes from that has the name now.
        let source: String?
    }

    private struct State {
        var points: [Point] = []
        var count = 0
        var note = 0
        var names: [NameChange] = []
        var linkCount = 0
    }

    let path: String
    private let scratch: ScratchDirectory
    private let state = Mutex(State())
    private let exhaustiveMax: Int
    private let sampleCount: Int
    private let wants: @Sendable (Int) -> Bool

    private static let directories = Mutex<[ObjectIdentifier: CrashedDirectory]>([:])

    /// - Parameters:
    ///   - exhaustiveMax: A point has all its variants if there are no more than this.
    ///   - sampleCount: Otherwise it has as many.
    ///   - wants: Whether a point is of interest.
    init(
        at existing: String? = nil, exhaustiveMax: Int, sampleCount: Int,
        wants: @escaping @Sendable (Int) -> Bool = { _ in true }
    ) throws {
        SimulatedFiles.install()
        scratch = try ScratchDirectory(isInMemory: true)
        path = existing ?? scratch.file("store")
        self.exhaustiveMax = exhaustiveMax
        self.sampleCount = sampleCount
        self.wants = wants
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func file(_ name: String) -> String { path + "/" + name }

    func note(_ note: Int) { state.withLock { $0.note = note } }

    func begin() {
        SimulatedFiles.observe(under: path) { [weak self] change in
            guard let self else { return }
            add("\(change.kind) \(Self.name(change.path))")
            if change.kind == .delete { remember(change.path, source: nil) }
        }
        Self.directories.withLock { $0[ObjectIdentifier(self)] = self }
        FileSync.observer.withLock { observer in
            observer = { operation, isDone in
                for one in Self.directories.withLock({ Array($0.values) }) {
                    one.saw(operation, isDone)
                }
            }
        }
    }

    /// Adds the point of now, and no others.
    func end() {
        SimulatedFiles.observe(under: path, nil)
        Self.directories.withLock { $0[ObjectIdentifier(self)] = nil }
        add("the end")
    }

    /// Takes the points that were added since the last time.
    func takePoints() -> [Point] {
        state.withLock { state in
            defer { state.points = [] }
            return state.points
        }
    }

    private static func name(_ path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? ""
    }

    // MARK: What the store does by itself

    private func saw(_ operation: FileSync.Operation, _ isDone: Bool) {
        switch operation {
        case .sync(path):
            if !isDone { return add("sync the directory") }
            let former = state.withLock { state in
                defer { state.names = [] }
                return state.names.compactMap(\.former)
            }
            for name in former { unlink(file(name)) }
        case .sync(let file) where file.hasPrefix(path + "/"):
            if isDone { SimulatedFiles.synced(path: file) } else { add("sync \(Self.name(file))") }
        case .rename(let source, let target) where target.hasPrefix(path + "/"):
            if isDone { return }
            add("rename \(Self.name(source))")
            remember(target, source: source)
        case .remove(let file) where file.hasPrefix(path + "/"):
            add("remove \(Self.name(file))")
            remember(file, source: nil)
        default: break
        }
    }

    /// The name is about to change: a link keeps the file that it has.
    private func remember(_ target: String, source: String?) {
        state.withLock { state in
            var former: String?
            if access(target, F_OK) == 0 {
                state.linkCount += 1
                former = "former-\(state.linkCount)"
                guard link(target, file(former!)) == 0 else { preconditionFailure("no links") }
            } else if source == nil {
                return
            }
            state.names.append(
                NameChange(
                    former: former, name: Self.name(target), source: source.map(Self.name)))
        }
    }

    // MARK: Copies

    private func add(_ next: String) {
        state.withLock { state in
            let number = state.count
            state.count += 1
            guard wants(number), let choices = try? SimulatedFiles.choices(under: path) else {
                return
            }
            let names = state.names
            let variants = CrashVariants(
                counts: choices + names.map { _ in 2 }, exhaustiveMax: exhaustiveMax,
                sampleCount: sampleCount, seed: UInt64(number))
            var copies: [(variant: [Int], path: String)] = []
            for (count, variant) in variants.enumerated() {
                let copy = scratch.file("\(number)-\(count)")
                do {
                    try SimulatedFiles.powerCut(
                        from: path, to: copy, variant: Array(variant[..<choices.count]))
                    try Self.settle(names, Array(variant[choices.count...]), in: copy)
                    copies.append((variant, copy))
                } catch {
                    preconditionFailure("\(error)")
                }
            }
            state.points.append(
                Point(number: number, next: next, note: state.note, copies: copies))
        }
    }

    /// Takes back names that are lost, the last first.
    private static func settle(
        _ names: [NameChange], _ variant: [Int], in copy: String
    ) throws {
        let files = FileManager.default
        for (change, isKept) in zip(names, variant).reversed() where isKept == 0 {
            let path = copy + "/" + change.name
            if let source = change.source {
                try files.moveItem(atPath: path, toPath: copy + "/" + source)
            }
            if let former = change.former {
                try? files.removeItem(atPath: path)
                try files.moveItem(atPath: copy + "/" + former, toPath: path)
            }
        }
        for name in try files.contentsOfDirectory(atPath: copy) where name.hasPrefix("former-") {
            try files.removeItem(atPath: copy + "/" + name)
        }
    }
}
