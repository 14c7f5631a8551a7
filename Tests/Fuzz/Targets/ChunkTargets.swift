import Core
import Foundation

@testable import ChunkStore

let chunkTargets = [
    FuzzTarget(
        name: "chunk-headers", runCount: 100_000, seeds: ChunkImage.headers, run: feedHeaders),
    FuzzTarget(
        name: "chunk-recovery", runCount: 300, seeds: ChunkImage.stores, run: feedRecovery),
]

/// With the right checksum in front where the input's first byte says so.
private func feedHeaders(_ input: [UInt8]) {
    var script = Script(input)
    let kind = script.byte()
    var bytes = script.all()
    func seal(_ end: Int) {
        guard kind < 0x80, end >= 4, end <= bytes.count else { return }
        withUnsafeBytes(of: CRC32C.of(bytes[4..<end]).littleEndian) {
            bytes.replaceSubrange(0..<4, with: $0)
        }
    }
    switch kind % 3 {
    case 0:
        if bytes.count >= ExtentHeader.fixedBytes { seal(Int(bytes[12]) | Int(bytes[13]) << 8) }
        let header = bytes.withUnsafeBytes { try? ExtentHeader.decode($0) }
        guard let header else { return }
        check(header.payloadBytes <= Limits.sealedChunkBytesMax, "a chunk beyond the limit")
        let again = header.encoded().withUnsafeBytes { try? ExtentHeader.decode($0) }
        check(again == header, "\(header) became another")
    case 1:
        seal(SegmentHeader.byteCount)
        guard let header = try? SegmentHeader.decode(bytes, versions: 1...2) else { return }
        let again = try? SegmentHeader.decode(header.encoded(), versions: 1...2)
        check(again == header, "\(header) became another")
    default:
        seal(TombstoneRecord.byteCount)
        guard bytes.count >= TombstoneRecord.byteCountOfVersion1 else { return }
        let found = bytes.withUnsafeBytes { try? TombstoneRecord.decode($0) }
        guard let found else { return }
        check(found.byteCount <= bytes.count, "longer than what there is")
        var writer = RecordWriter(capacity: TombstoneRecord.byteCount)
        found.record.append(to: &writer)
        let again = writer.bytes.withUnsafeBytes { try? TombstoneRecord.decode($0) }
        check(again?.record == found.record, "\(found.record) became another")
    }
}

private struct FuzzClocks: Clocks {
    var wall: WallTime { WallTime(milliseconds: 1_000_000) }
    var monotonic: MonotonicTime { MonotonicTime(milliseconds: 1_000_000) }
}

/// The index of the run; a new one each.
private let indexPath: String = {
    let memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : NSTemporaryDirectory()
    return "\(memory)/dstfuzz-\(getpid()).sqlite"
}()

private func removeIndex() {
    for suffix in ["", "-wal", "-shm", ".damaged"] { unlink(indexPath + suffix) }
}

/// What is known of a disk after opening it.
private struct Opened: Equatable {
    var usage: [UInt32: [Int]]
    var segments: Set<String>
}

private func open(_ disk: MemoryChunkDisk) throws -> Opened {
    let recovery = try Recovery(
        disk: disk, indexPath: indexPath, capacityBytes: 64 << 20,
        segmentBytes: ChunkImage.segmentBytes, tombstoneFileBytes: ChunkImage.tombstoneBytes,
        clocks: FuzzClocks())
    defer { try? recovery.index.close() }
    let usage = try recovery.index.usage().mapValues { [$0.count, $0.bytes, $0.end] }
    // Files of tombstones that hold none are made anew.
    let segments = disk.list().filter { SegmentHeader.number(ofFile: $0) != nil }
    return Opened(usage: usage, segments: Set(segments))
}

private func feedRecovery(_ input: [UInt8]) {
    removeIndex()
    defer { removeIndex() }
    let disk = MemoryChunkDisk()
    ChunkImage.write(input, to: disk)
    guard let first = try? open(disk) else { return }
    do {
        let second = try open(disk)
        check(second == first, "opened again it is another: \(first) became \(second)")
        removeIndex()
        let third = try open(disk)
        // A segment without chunks that somebody could still add to may stay, or go.
        check(
            third.usage == first.usage, "with a new index it is another: \(first) became \(third)")
    } catch {
        preconditionFailure("a store that was opened does not open again: \(error)")
    }
}

/// A store's files by an input's instructions; checksums are right, so that what is behind them
/// gets read.
private enum ChunkImage {
    static let segmentBytes = 64 << 10
    static let tombstoneBytes = 8 << 10
    private static let store = StorageIdentity(high: 7, low: 7)

    private static func identity(_ number: UInt32) -> StorageIdentity {
        StorageIdentity(high: 9, low: UInt64(number))
    }

    static func write(_ input: [UInt8], to disk: MemoryChunkDisk) {
        var script = Script(input)
        let mode = script.byte()
        let head = SegmentHeader(
            kind: nil, number: 0, store: store, identity: StorageIdentity(high: 0, low: 0),
            bytes: 0)
        disk.put("store", head.encoded() + [UInt8](repeating: 0, count: 4032))
        for _ in 0..<1 + mode % 3 {
            let number = mode & 0x40 == 0 ? 1 + UInt32(script.byte()) : script.number()
            disk.put(SegmentHeader.fileName(number), segment(number, &script))
        }
        for _ in 0..<(mode >> 2) % 3 {
            let number = mode & 0x40 == 0 ? 1 + UInt32(script.byte()) : script.number()
            disk.put(TombstoneLog.fileName(number), tombstones(number, &script))
        }
    }

    private static func segment(_ number: UInt32, _ script: inout Script) -> [UInt8] {
        let shape = script.byte()
        var head = SegmentHeader(
            kind: shape % 4 == 0 ? .small : .large, number: number, store: store,
            identity: identity(number), bytes: segmentBytes)
        head.isSealed = shape & 0x08 != 0
        var bytes = head.encoded()
        // The field's own bytes: any, also what no segment can have.
        if shape & 0x10 != 0 {
            bytes.replaceSubrange(48..<56, with: script.bytes(8) + repeatElement(0, count: 8))
            bytes.removeLast(bytes.count - SegmentHeader.byteCount)
            withUnsafeBytes(of: CRC32C.of(bytes[4...]).littleEndian) {
                bytes.replaceSubrange(0..<4, with: $0)
            }
        }
        if shape & 0x20 != 0 { bytes = script.bytes(SegmentHeader.byteCount) }
        pad(&bytes, to: ChunkStoreLimits.segmentHeaderBytes)
        for _ in 0..<shape >> 6 {
            bytes += extent(in: number, at: bytes.count, &script)
            pad(&bytes, to: (bytes.count + 4095) / 4096 * 4096)
        }
        pad(&bytes, to: shape & 0x04 == 0 ? segmentBytes : bytes.count)
        return bytes
    }

    private static func extent(
        in number: UInt32, at offset: Int, _ script: inout Script
    ) -> [UInt8] {
        let shape = script.byte()
        let payload = [UInt8](
            repeating: shape, count: 1 + Int(script.byte()) * (shape & 1 == 0 ? 1 : 40))
        var header = ExtentHeader(
            chunk: chunk(&script), segment: identity(number), offset: offset,
            payloadBytes: payload.count, checksums: [CRC32C.of(payload)],
            owner: script.bytes(Int(shape >> 4)))
        if shape & 2 != 0 { header.checksums[0] ^= 1 }
        if shape & 4 != 0 {
            // The header alone, of a chunk of any size.
            header.payloadBytes = 1 + Int(script.number(UInt32.self)) % Limits.sealedChunkBytesMax
            header.checksums = Array(
                repeating: 0, count: ExtentHeader.blockCount(payloadBytes: header.payloadBytes))
            return header.encoded()
        }
        if shape & 8 != 0 { header.segment = identity(UInt32(script.byte())) }
        return header.encoded() + payload
    }

    private static func chunk(_ script: inout Script) -> ChunkID {
        ChunkID(high: UInt64(script.byte() % 8) << 52, low: 1)
    }

    private static func tombstones(_ number: UInt32, _ script: inout Script) -> [UInt8] {
        let shape = script.byte()
        let head = SegmentHeader(
            kind: nil, number: number, store: store, identity: StorageIdentity(high: 0, low: 0),
            bytes: tombstoneBytes, version: shape & 1 == 0 ? TombstoneLog.version : 1)
        var writer = RecordWriter(capacity: tombstoneBytes)
        writer.append(shape & 2 == 0 ? head.encoded() : script.bytes(SegmentHeader.byteCount))
        writer.pad(to: SegmentHeader.byteCount)
        for _ in 0..<shape >> 4 { tombstone(to: &writer, &script) }
        writer.pad(to: max(writer.bytes.count, shape & 4 == 0 ? tombstoneBytes : 0))
        return writer.bytes
    }

    private static func tombstone(to writer: inout RecordWriter, _ script: inout Script) {
        let shape = script.byte()
        if shape & 0x80 != 0 {
            writer.append(script.bytes(32))
            writer.pad(to: (writer.bytes.count + 31) / 32 * 32)
            return
        }
        let segment = UInt32(script.byte())
        let offset =
            shape & 2 == 0 ? 4096 * Int(script.byte()) : 4096 * Int(script.number(UInt32.self))
        let extent = Extent(
            segment: segment, offset: offset, bytes: 4096 * (1 + Int(shape >> 2) % 4))
        let place = TombstoneRecord.Place(extent: extent, identity: identity(segment))
        let record = TombstoneRecord(
            kind: shape & 1 == 0 ? .deleted : .dropped, chunk: chunk(&script),
            milliseconds: shape & 0x40 == 0 ? 1000 : script.number(),
            place: shape & 0x20 == 0 ? place : nil)
        record.append(to: &writer)
    }

    private static func pad(_ bytes: inout [UInt8], to count: Int) {
        if bytes.count < count { bytes += [UInt8](repeating: 0, count: count - bytes.count) }
    }

    static func headers() -> [[UInt8]] {
        let payload = [UInt8](repeating: 1, count: 100)
        let extent = ExtentHeader(
            chunk: ChunkID(high: 1, low: 1), segment: identity(1), offset: 4096,
            payloadBytes: payload.count, checksums: [CRC32C.of(payload)], owner: [1, 2, 3])
        let segment = SegmentHeader(
            kind: .large, number: 3, store: store, identity: identity(3), bytes: segmentBytes)
        var writer = RecordWriter(capacity: TombstoneRecord.byteCount)
        let place = TombstoneRecord.Place(
            extent: Extent(segment: 3, offset: 4096, bytes: 8192), identity: identity(3))
        TombstoneRecord(
            kind: .dropped, chunk: ChunkID(high: 1, low: 1), milliseconds: 5, place: place
        ).append(to: &writer)
        return [[0] + extent.encoded(), [1] + segment.encoded(), [2] + writer.bytes]
    }

    static func stores() -> [[UInt8]] {
        [
            // A segment with two chunks, and a tombstone of one of them.
            [4, 0, 0x80, 0, 9, 1, 0, 9, 2, 1, 0x10, 0, 1, 1, 1],
            // Two segments, one sealed, with torn and foreign extents; a drop.
            [5, 0, 0x88, 0, 9, 1, 2, 9, 2, 2, 0xC1, 0, 9, 1, 8, 9, 3, 1, 4, 9, 4, 0, 1, 0, 0]
                + [1, 0x20, 1, 1, 1, 1, 0, 1, 1, 1],
            [0x40, 5, 0, 0, 0, 0x90, 1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 1],
        ]
    }
}
