import Synchronization

@testable import ChunkStore

/// Files in memory for one run; nothing is ever lost.
final class MemoryChunkDisk: ChunkDisk {
    fileprivate let files = Mutex<[String: MemoryChunkFile]>([:])

    func put(_ name: String, _ bytes: [UInt8]) {
        files.withLock { $0[name] = MemoryChunkFile(bytes) }
    }

    var contents: [String: [UInt8]] {
        files.withLock { $0.mapValues { $0.bytes.withLock { $0 } } }
    }

    func list() -> [String] { files.withLock { Array($0.keys) } }

    func open(_ name: String) throws(DiskError) -> any ChunkFile {
        guard let file = files.withLock({ $0[name] }) else { throw .notFound(name) }
        return file
    }

    func create(_ name: String, bytes: Int) throws(DiskError) -> any ChunkFile {
        // More than the disk has: sizes come out of the input.
        guard bytes <= 1 << 20 else { throw .full }
        put(name, [UInt8](repeating: 0, count: bytes))
        return try open(name)
    }

    func remove(_ name: String) throws(DiskError) {
        let removed = files.withLock { $0.removeValue(forKey: name) }
        if removed == nil { throw .notFound(name) }
    }

    func freeBytes() -> Int { 1 << 40 }
}

final class MemoryChunkFile: ChunkFile {
    fileprivate let bytes: Mutex<[UInt8]>

    fileprivate init(_ bytes: [UInt8]) { self.bytes = Mutex(bytes) }

    func size() -> Int { bytes.withLock { $0.count } }

    func write(_ pieces: [UnsafeRawBufferPointer], at offset: Int) throws(DiskError) {
        bytes.withLock { bytes in
            var place = offset
            for piece in pieces {
                let end = place + piece.count
                if bytes.count < end {
                    bytes += [UInt8](repeating: 0, count: end - bytes.count)
                }
                bytes.replaceSubrange(place..<end, with: piece)
                place = end
            }
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Int {
        bytes.withLock { bytes in
            guard offset < bytes.count else { return 0 }
            let count = min(buffer.count, bytes.count - offset)
            buffer.copyBytes(from: bytes[offset..<offset + count])
            return count
        }
    }

    func readCached(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool {
        read(into: buffer, at: offset) == buffer.count
    }

    func sync() {}

    func writePages(_ pages: UnsafeRawBufferPointer, at offset: Int) throws(DiskError) {
        try write([pages], at: offset)
    }

    /// As on a real file: what is beyond the end stays nothing.
    func punch(_ range: Range<Int>) throws(DiskError) {
        bytes.withLock { bytes in
            let range = range.clamped(to: 0..<bytes.count)
            bytes.replaceSubrange(range, with: repeatElement(0, count: range.count))
        }
    }

    func truncate(to count: Int) {
        bytes.withLock { bytes in
            if count < bytes.count { bytes.removeLast(bytes.count - count) }
        }
    }

    func nextData(from offset: Int) -> Int? {
        bytes.withLock { bytes in
            guard offset < bytes.count else { return nil }
            return bytes[offset...].firstIndex { $0 != 0 }
        }
    }
}
