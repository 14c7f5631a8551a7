import Catalogue
import Core
import Foundation
import Synchronization

/// Counters. A command is "add <id> <name>" and answers the new value; repeated with the same id it
/// answers the same. A question is "get <name>".
struct CounterState: Codable, Equatable, Sendable {
    var applied: UInt64 = 0
    var note: [UInt8] = []
    var counters: [String: Int] = [:]
    var results: [String: Int] = [:]

    mutating func apply(_ payload: [UInt8]) -> [UInt8] {
        let words = String(decoding: payload, as: UTF8.self).split(separator: " ")
        guard words.count >= 3 else { return [] }
        let (id, name) = (String(words[1]), String(words[2]))
        if let result = results[id] { return Array("\(result)".utf8) }
        counters[name, default: 0] += 1
        results[id] = counters[name]
        return Array("\(counters[name] ?? 0)".utf8)
    }

    func answer(_ query: [UInt8]) -> [UInt8] {
        let words = String(decoding: query, as: UTF8.self).split(separator: " ")
        return Array("\(counters[String(words.last ?? "")] ?? 0)".utf8)
    }
}

/// What outlives the process: like a SQLite file, of which a power cut leaves the last checkpoint
/// or any later transaction.
final class CounterDisk: Sendable {
    private struct State {
        var durable = CounterState()
        var later: [CounterState] = []
        var isOpen = false
    }
    private let state = Mutex(State())

    var current: CounterState { state.withLock { $0.later.last ?? $0.durable } }
    var durable: CounterState { state.withLock { $0.durable } }

    func commit(_ next: CounterState) {
        state.withLock { state in
            state.later.append(next)
            // Any of the last few is as good a test as any of all.
            if state.later.count > 8 { state.later.remove(at: state.later.count / 2) }
        }
    }

    func sync() {
        state.withLock { state in
            if let last = state.later.last { state.durable = last }
            state.later = []
        }
    }

    func replace(_ next: CounterState) {
        state.withLock { state in
            state.durable = next
            state.later = []
        }
    }

    func crash(using random: inout some RandomNumberGenerator) {
        state.withLock { state in
            let kept = Int.random(in: 0...state.later.count, using: &random)
            if kept > 0 { state.durable = state.later[kept - 1] }
            state.later = []
        }
    }
}

final class CounterStore: CatalogueStore {
    private let disk: CounterDisk
    private let state: Mutex<CounterState>

    init(_ disk: CounterDisk) {
        self.disk = disk
        state = Mutex(disk.current)
    }

    var appliedIndex: UInt64 { state.withLock { $0.applied } }
    var durableIndex: UInt64 { disk.durable.applied }
    var note: [UInt8] { state.withLock { $0.note } }

    func apply(
        _ entries: [CatalogueEntry], note: [UInt8]?
    ) throws(CatalogueError) -> [[UInt8]] {
        state.withLock { state in
            let results = entries.map { entry -> [UInt8] in
                precondition(entry.index == state.applied + 1, "a gap")
                state.applied = entry.index
                return entry.payload.isEmpty ? [] : state.apply(entry.payload)
            }
            if let note { state.note = note }
            disk.commit(state)
            return results
        }
    }

    func answer(_ query: [UInt8]) throws(CatalogueError) -> [UInt8] {
        state.withLock { $0.answer(query) }
    }

    func checkpoint() throws(CatalogueError) -> UInt64 {
        disk.sync()
        return disk.durable.applied
    }

    func writeSnapshot(to path: String) throws(CatalogueError) -> CatalogueSnapshot {
        let state = state.withLock { $0 }
        guard let bytes = try? JSONEncoder().encode(state),
            (try? bytes.write(to: URL(fileURLWithPath: path))) != nil
        else { throw .failed(path: path, detail: "cannot be written") }
        return CatalogueSnapshot(
            appliedIndex: state.applied, note: state.note, bytes: bytes.count)
    }

    func install(snapshot path: String) throws(CatalogueError) -> CatalogueSnapshot {
        let url = URL(fileURLWithPath: path)
        guard let bytes = try? Data(contentsOf: url),
            let next = try? JSONDecoder().decode(CounterState.self, from: bytes)
        else { throw .damaged(path: path, detail: "cannot be read") }
        try? FileManager.default.removeItem(at: url)
        state.withLock { $0 = next }
        disk.replace(next)
        return CatalogueSnapshot(appliedIndex: next.applied, note: next.note, bytes: bytes.count)
    }

    func close() { disk.sync() }
}
