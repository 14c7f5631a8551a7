import Core
import Foundation
import Simulation

@testable import ChunkStore

/// The index's files at one moment.
struct IndexCopy: Hashable {
    let files: [String: Data]
    /// Tombstone files that were there: the index is never older than one that is gone.
    private let tombstoneFiles: Set<String>

    private static let suffixes = ["", "-wal"]

    /// While nothing is written.
    ///
    /// - Parameter disk: Where tombstone files are looked for; without, the copy is of no other
    ///   time than the disk that it comes back with.
    init(of path: String, _ disk: SimulatedChunkDisk? = nil) {
        let pairs = Self.suffixes.compactMap { suffix in
            FileManager.default.contents(atPath: path + suffix).map { (suffix, $0) }
        }
        files = Dictionary(uniqueKeysWithValues: pairs)
        tombstoneFiles = Set(disk?.list().filter { $0.hasPrefix("deleted-") } ?? [])
    }

    func isPossible(on disk: SimulatedChunkDisk) -> Bool {
        tombstoneFiles.isSubset(of: disk.list())
    }

    func restore(to path: String) throws {
        for suffix in Self.suffixes + ["-shm"] {
            try? FileManager.default.removeItem(atPath: path + suffix)
        }
        for (suffix, data) in files { try data.write(to: URL(fileURLWithPath: path + suffix)) }
    }
}

/// What a crash leaves of the index, which SQLite keeps beside the simulated disk.
enum IndexLoss: Hashable, CaseIterable {
    /// As it was when the power went.
    case nothing
    /// As it was some time before: its log was not synced.
    case latest
    case everything
}

/// A store that loses its power now and then, and the model that it is held to.
struct CrashingStore {
    var test: TestStore
    var model = ChunkModel() { didSet { journal?.set(model) } }
    private let journal: CrashJournal?
    /// Streamed writes under way.
    var writes: [(write: ChunkWrite, rest: ArraySlice<UInt8>)] = []
    /// States of the index that a power loss may bring back; the last is the newest.
    private var copies: [IndexCopy] = []
    private(set) var isDead = false

    static let segmentBytes = 384 << 10
    /// Room for 63 records.
    static let tombstoneFileBytes = 4096

    init(
        _ disk: SimulatedChunkDisk = SimulatedChunkDisk(), index: IndexCopy? = nil,
        segmentBytes: Int = segmentBytes, tombstoneFileBytes: Int = tombstoneFileBytes,
        journal: CrashJournal? = nil
    ) throws {
        self.journal = journal
        test = try TestStore(
            disk, segmentBytes: segmentBytes, tombstoneFileBytes: tombstoneFileBytes,
            index: index, journal: journal)
    }

    /// What comes of the power going now, in one of the ways in which it may: this one, which must
    /// have ended, stays as it is.
    func afterCut(
        _ loss: PowerLoss, _ indexLoss: IndexLoss, using random: inout SeededRandom
    ) throws -> CrashingStore {
        let disk = test.disk.crashed(loss, using: &random)
        let index =
            switch indexLoss {
            case .nothing: copies.last
            case .latest: copies.first { $0.isPossible(on: disk) }
            case .everything: nil as IndexCopy?
            }
        var other = try CrashingStore(disk, index: index)
        other.model = model
        other.copyIndex()
        return other
    }

    var store: ChunkStore { test.store }

    /// The power went: what comes back is not an answer.
    private mutating func survive(_ error: any Error) throws {
        switch error {
        case ChunkStoreError.diskFailed: isDead = true
        case ChunkStoreError.full where test.disk.with({ $0.isWriteFull }): break
        case ChunkStoreError.deleted(let id) where model[id].contains(.deleted): break
        default: throw error
        }
    }

    // MARK: Operations

    mutating func write(_ chunk: ChunkID, replacing: Bool = false) async throws {
        model.beginWrite(chunk)
        do {
            _ = try await store.write(
                chunk, owner: ChunkModel.owner(of: chunk), payload: ChunkModel.bytes(of: chunk),
                replacing: replacing)
            model.endWrite(chunk)
        } catch {
            try survive(error)
        }
        await settle()
    }

    /// Large ones must be written in pieces; others may be.
    mutating func begin(_ chunk: ChunkID, replacing: Bool = false) async throws {
        model.beginWrite(chunk)
        do {
            let bytes = ChunkModel.bytes(of: chunk)
            let write = try store.beginWrite(
                chunk, bytes: bytes.count, owner: ChunkModel.owner(of: chunk),
                replacing: replacing)
            if let write { writes.append((write, bytes[...])) } else { model.endWrite(chunk) }
        } catch {
            try survive(error)
        }
        await settle()
    }

    mutating func append(_ count: Int, to place: Int) async throws {
        let piece = Array(writes[place].rest.prefix(count))
        writes[place].rest = writes[place].rest.dropFirst(count)
        do {
            try piece.withUnsafeBytes { try writes[place].write.append($0) }
        } catch {
            writes.remove(at: place).write.abort()
            try survive(error)
        }
        await settle()
    }

    mutating func commit(_ place: Int) async throws {
        let rest = writes[place].rest.count
        if rest > 0 { try await append(rest, to: place) }
        guard !isDead, place < writes.count, writes[place].rest.isEmpty else { return }
        let write = writes.remove(at: place).write
        // A drop may have been acknowledged meanwhile: this is a write again.
        model.beginWrite(write.chunk)
        do {
            _ = try await write.commit()
            model.endWrite(write.chunk)
        } catch {
            try survive(error)
        }
        await settle()
    }

    mutating func abort(_ place: Int) async {
        writes.remove(at: place).write.abort()
        await settle()
    }

    mutating func writeInPieces(_ chunk: ChunkID, replacing: Bool = false) async throws {
        let count = writes.count
        try await begin(chunk, replacing: replacing)
        if !isDead, writes.count > count { try await commit(count) }
    }

    mutating func delete(_ chunks: [ChunkID]) async throws {
        for chunk in chunks { model.beginDelete(chunk) }
        do {
            try await store.delete(chunks)
            for chunk in chunks { model.endDelete(chunk) }
        } catch {
            try survive(error)
        }
        await settle()
    }

    mutating func drop(_ chunks: [ChunkID]) async throws {
        for chunk in chunks { model.beginDrop(chunk) }
        do {
            try await store.drop(chunks)
            for chunk in chunks { model.endDrop(chunk) }
        } catch {
            try survive(error)
        }
        await settle()
    }

    mutating func flush() async {
        await store.runMaintenance { $0.flush() }
        await settle()
    }

    mutating func maintain() async {
        await store.maintain()
        await settle()
    }

    /// Several at once: writes that share a sync, and deletes and drops of others.
    mutating func burst(
        writes: [ChunkID], deletes: [ChunkID], drops: [ChunkID]
    ) async throws {
        for chunk in writes { model.beginWrite(chunk) }
        for chunk in deletes { model.beginDelete(chunk) }
        for chunk in drops { model.beginDrop(chunk) }
        let store = self.store
        enum Done { case write(ChunkID), delete([ChunkID]), drop([ChunkID]) }
        let results = await withTaskGroup(of: Result<Done, any Error>.self) { group in
            for chunk in writes {
                group.addTask {
                    do {
                        _ = try await store.write(
                            chunk, owner: ChunkModel.owner(of: chunk),
                            payload: ChunkModel.bytes(of: chunk))
                        return .success(.write(chunk))
                    } catch { return .failure(error) }
                }
            }
            group.addTask {
                do {
                    try await store.delete(deletes)
                    return .success(.delete(deletes))
                } catch { return .failure(error) }
            }
            group.addTask {
                do {
                    try await store.drop(drops)
                    return .success(.drop(drops))
                } catch { return .failure(error) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        for result in results {
            switch result {
            case .success(.write(let chunk)): model.endWrite(chunk)
            case .success(.delete(let chunks)): for chunk in chunks { model.endDelete(chunk) }
            case .success(.drop(let chunks)): for chunk in chunks { model.endDrop(chunk) }
            case .failure(let error): try survive(error)
            }
        }
        await settle()
    }

    /// Waits for what goes on behind the answers, so that a seed means one order of operations.
    private mutating func settle() async {
        await store.runMaintenance { _ in }
        if store.failure != nil { isDead = true }
    }

    /// Keeps the index as it is, to be what a power loss leaves.
    mutating func copyIndex() {
        copies.append(IndexCopy(of: test.indexPath, test.disk))
        if copies.count > 4 { copies.removeFirst() }
    }

    // MARK: Crash

    /// Ends the process; the power stays.
    mutating func kill(_ indexLoss: IndexLoss) async throws {
        try await end()
        let former = copies
        try reopen(on: test.disk.killed(), indexLoss == .latest ? .nothing : indexLoss)
        // The power may go still, and bring an older state back.
        if indexLoss != .everything { copies = former.suffix(3) + copies }
    }

    /// - Parameter operations: Changes of the disk after which the power goes again, while the
    ///   store opens.
    mutating func cut(
        _ loss: PowerLoss, _ indexLoss: IndexLoss, again operations: Int? = nil,
        using random: inout SeededRandom
    ) async throws {
        try await end()
        let disk = test.disk.crashed(loss, using: &random)
        if let operations {
            disk.with {
                $0.operationsLeft = operations
                $0.appliesLast = Bool.random(using: &random)
            }
            do {
                try reopen(on: disk, indexLoss)
            } catch DiskError.failed {
                // Dead within recovery: what the index has got by now is there, or is not.
                copies.append(IndexCopy(of: test.indexPath, disk))
                let again = IndexLoss.allCases.randomElement(using: &random)!
                try reopen(on: disk.crashed(loss, using: &random), again)
            }
            test.disk.with { $0.operationsLeft = .max }
            if store.failure != nil { isDead = true }
        } else {
            try reopen(on: disk, indexLoss)
        }
    }

    /// Everything ends as the disk is now; the index stays as it is now.
    mutating func end() async throws {
        test.disk.with { $0.operationsLeft = 0 }
        copies.append(IndexCopy(of: test.indexPath, test.disk))
        for one in writes { one.write.abort() }
        writes = []
        await store.close()
    }

    private mutating func reopen(on disk: SimulatedChunkDisk, _ loss: IndexLoss) throws {
        copies.removeAll { !$0.isPossible(on: disk) }
        switch loss {
        case .nothing: try copies.last?.restore(to: test.indexPath)
        case .latest: try copies.first?.restore(to: test.indexPath)
        case .everything:
            test.removeIndex()
            copies = []
        }
        isDead = false
        test.disk = disk
        try test.reopen()
        // What was found is what there is: nothing older comes back.
        copies = [IndexCopy(of: test.indexPath, test.disk)]
    }

    /// - Returns: What is wrong.
    mutating func check() throws -> [String] { try model.check(store) }
}
