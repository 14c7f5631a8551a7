import Core
import NIOCore
import RaftLog
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// A snapshot's bytes on their way out or in, as a file in the snapshots' directory. All calls
/// block: on the snapshots' thread.
final class SnapshotFile: Sendable {
    private struct State {
        var offset = 0
        var sum = CRC32C()
    }

    let path: String
    let size: Int
    private let file: any LogFile
    private let state = Mutex(State())

    private init(path: String, size: Int, file: any LogFile) {
        self.path = path
        self.size = size
        self.file = file
    }

    /// A file that is there.
    static func open(_ name: String, in directory: String) throws(DiskError) -> SnapshotFile {
        let file = try FileDisk(directory: directory).open(name)
        return SnapshotFile(path: directory + "/" + name, size: try file.size(), file: file)
    }

    /// A file to fill; room for `size` bytes is set aside, so that a full disk is noticed now.
    static func create(
        _ name: String, size: Int, in directory: String
    ) throws(DiskError) -> SnapshotFile {
        let path = directory + "/" + name
        remove(path)
        let file = try FileDisk(directory: directory).create(name, bytes: size)
        return SnapshotFile(path: path, size: size, file: file)
    }

    static func remove(_ path: String) { unlink(path) }

    /// CRC-32C of all bytes.
    func checksum() throws(DiskError) -> UInt32 {
        var sum = CRC32C()
        var offset = 0
        while offset < size {
            let end = min(offset + RaftHostLimits.snapshotPieceBytes, size)
            sum.update(try file.read(offset..<end))
            offset = end
        }
        return sum.value
    }

    /// The next bytes; `nil` at the end.
    func next() throws(DiskError) -> ByteBuffer? {
        let start = state.withLock { $0.offset }
        guard start < size else { return nil }
        let end = min(start + RaftHostLimits.snapshotPieceBytes, size)
        let bytes = try file.read(start..<end)
        state.withLock { $0.offset = end }
        return ByteBuffer(bytes: bytes)
    }

    /// - Returns: `false` if that is more than there should be.
    func append(_ piece: ByteBuffer) throws(DiskError) -> Bool {
        let bytes = Array(piece.readableBytesView)
        let start = state.withLock { $0.offset }
        guard start + bytes.count <= size else { return false }
        try file.write(bytes, at: start)
        state.withLock { state in
            state.offset += bytes.count
            state.sum.update(bytes)
        }
        return true
    }

    /// Makes what was appended durable.
    ///
    /// - Returns: whether it is complete and has this checksum.
    func finish(checksum: UInt32) throws(DiskError) -> Bool {
        try file.sync()
        return state.withLock { $0.offset == size && $0.sum.value == checksum }
    }
}
