import Core
import Foundation
import Simulation
import Synchronization

@testable import ChunkStore

/// Time that stands still until told.
final class TestClocks: Clocks {
    private let time = Mutex<UInt64>(1_000_000)
    func advance(milliseconds: UInt64) { time.withLock { $0 += milliseconds } }
    var wall: WallTime { WallTime(milliseconds: Int64(time.withLock { $0 })) }
    var monotonic: MonotonicTime { MonotonicTime(milliseconds: time.withLock { $0 }) }
}

/// A folder that goes with the value.
final class TemporaryFolder: Sendable {
    let path: String

    /// - Parameter isInMemory: Where the machine has such a place: for what is made and thrown away
    ///   a thousand times.
    init(isInMemory: Bool = false) {
        let memory = "/dev/shm"
        let root =
            isInMemory && access(memory, W_OK) == 0 ? memory : NSTemporaryDirectory()
        var template = Array(
            (root + "/chunks-" + String(repeating: "X", count: 6)).utf8CString)
        path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A store on a simulated disk with its index in a folder.
struct TestStore {
    var disk: SimulatedChunkDisk
    let folder = TemporaryFolder(isInMemory: true)
    let clocks = TestClocks()
    var capacity: Int
    var segmentBytes: Int
    var tombstoneFileBytes: Int?
    var store: ChunkStore

    init(
        _ disk: SimulatedChunkDisk = SimulatedChunkDisk(), capacity: Int = 64 << 20,
        segmentBytes: Int = 1 << 20, tombstoneFileBytes: Int? = nil, index: IndexCopy? = nil,
        journal: CrashJournal? = nil
    ) throws {
        self.disk = disk
        self.capacity = capacity
        self.segmentBytes = segmentBytes
        self.tombstoneFileBytes = tombstoneFileBytes
        try index?.restore(to: folder.path + "/index.sqlite")
        journal?.begin(disk, folder: folder.path)
        store = try ChunkStore.open(
            disk: disk, indexPath: folder.path + "/index.sqlite", capacityBytes: capacity,
            segmentBytes: segmentBytes, tombstoneFileBytes: tombstoneFileBytes, clocks: clocks)
    }

    var indexPath: String { folder.path + "/index.sqlite" }

    mutating func reopen() throws {
        store = try ChunkStore.open(
            disk: disk, indexPath: indexPath, capacityBytes: capacity,
            segmentBytes: segmentBytes, tombstoneFileBytes: tombstoneFileBytes, clocks: clocks)
    }

    func removeIndex() {
        for suffix in ["", "-wal", "-shm"] {
            try? FileManager.default.removeItem(atPath: indexPath + suffix)
        }
    }
}

/// Bytes that name their chunk.
func payload(_ chunk: ChunkID, bytes: Int) -> [UInt8] {
    var random = SeededRandom(seed: chunk.low)
    var payload = [UInt8](repeating: 0, count: bytes)
    payload.withUnsafeMutableBytes { raw in
        for offset in stride(from: 0, to: bytes - 7, by: 8) {
            raw.storeBytes(of: random.next(), toByteOffset: offset, as: UInt64.self)
        }
    }
    for index in 0..<min(16, bytes) { payload[index] = chunk.bytes[index] }
    return payload
}

extension ChunkStore {
    func readAll(_ chunk: ChunkID) throws(ChunkStoreError) -> [UInt8] {
        let reader = try open(chunk)
        return try reader.read(0..<reader.blockCount)
    }

    /// Writes in pieces of random size.
    func writeInPieces(
        _ chunk: ChunkID, owner: [UInt8] = [], payload: [UInt8], replacing: Bool = false,
        using random: inout SeededRandom
    ) async throws(ChunkStoreError) -> ChunkWriteOutcome {
        let write = try beginWrite(
            chunk, bytes: payload.count, owner: owner, replacing: replacing)
        guard let write else { return .known }
        var rest = payload[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(Int.random(in: 1...100_000, using: &random)))
            rest = rest.dropFirst(piece.count)
            let result = piece.withUnsafeBytes { raw in
                Result { () throws(ChunkStoreError) in try write.append(raw) }
            }
            if case .failure(let error) = result {
                write.abort()
                throw error
            }
        }
        return try await write.commit()
    }

    /// Every page of the partition.
    func listAll(_ partition: PartitionID, pageCount: Int = 3) throws -> [ChunkID] {
        var all: [ChunkID] = []
        while true {
            let page = try list(partition, after: all.last, limit: pageCount)
            all += page.chunks
            if !page.isTruncated { return all }
        }
    }
}

func chunk(_ number: UInt64, partition: UInt16 = 7) -> ChunkID {
    var random = SeededRandom(seed: number)
    return ChunkID(
        partition: PartitionID(rawValue: partition)!, born: WallTime(milliseconds: 0),
        using: &random)
}
