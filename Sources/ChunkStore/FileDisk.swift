import CCore
import Core
import Foundation
import Synchronization

/// A directory of the machine's file system.
package struct FileDisk: ChunkDisk {
    private let directory: String

    /// - Throws: ``DiskError`` if the directory is not there and can't be made.
    package init(directory: String) throws(DiskError) {
        self.directory = directory
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
            throw DiskError(errno, "mkdir", directory)
        }
    }

    package func list() throws(DiskError) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: directory)
        } catch {
            throw .failed("\(directory): \(error.localizedDescription)")
        }
    }

    package func open(_ name: String) throws(DiskError) -> any ChunkFile {
        let descriptor = Foundation.open(path(name), O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw DiskError(errno, "open", path(name)) }
        return SystemChunkFile(descriptor, path: path(name))
    }

    package func create(_ name: String, bytes: Int) throws(DiskError) -> any ChunkFile {
        let descriptor = Foundation.open(
            path(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw DiskError(errno, "open", path(name)) }
        let file = SystemChunkFile(descriptor, path: path(name))
        do throws(DiskError) {
            guard dst_preallocate(descriptor, Int64(bytes)) == 0 else {
                throw DiskError(errno, "fallocate", path(name))
            }
            guard fsync(descriptor) == 0 else { throw DiskError(errno, "fsync", path(name)) }
            try syncDirectory()
        } catch {
            unlink(path(name))
            throw error
        }
        return file
    }

    package func remove(_ name: String) throws(DiskError) {
        guard unlink(path(name)) == 0 else { throw DiskError(errno, "unlink", path(name)) }
        try syncDirectory()
    }

    package func freeBytes() throws(DiskError) -> Int {
        var status = statvfs()
        guard statvfs(directory, &status) == 0 else {
            throw DiskError(errno, "statvfs", directory)
        }
        return Int(clamping: UInt64(status.f_bavail) &* UInt64(status.f_frsize))
    }

    private func syncDirectory() throws(DiskError) {
        do {
            try DurableFile.syncDirectory(directory)
        } catch {
            throw DiskError(error.code, error.call, error.path)
        }
    }

    private func path(_ name: String) -> String { directory + "/" + name }
}

/// A file of the machine's file system.
private final class SystemChunkFile: ChunkFile {
    private let descriptor: Int32
    private let path: String
    /// For writing past the page cache: opened when first needed, -1 if the file system has no such
    /// thing.
    private let direct = Mutex<Int32?>(nil)

    init(_ descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        close(descriptor)
        direct.withLock { if let direct = $0, direct >= 0 { close(direct) } }
    }

    func size() throws(DiskError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw DiskError(errno, "fstat", path) }
        return Int(status.st_size)
    }

    func write(_ pieces: [UnsafeRawBufferPointer], at offset: Int) throws(DiskError) {
        var vectors = pieces.filter { !$0.isEmpty }.map {
            iovec(
                iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress), iov_len: $0.count)
        }
        var offset = offset
        var first = 0
        while first < vectors.count {
            let count = vectors.withUnsafeBufferPointer {
                pwritev(
                    descriptor, $0.baseAddress! + first, Int32(vectors.count - first),
                    off_t(offset))
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw DiskError(errno, "pwrite", path)
            }
            offset += count
            // A part may have been written: go on after it.
            var done = count
            while first < vectors.count, done >= vectors[first].iov_len {
                done -= vectors[first].iov_len
                first += 1
            }
            if done > 0 {
                vectors[first].iov_base += done
                vectors[first].iov_len -= done
            }
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(DiskError) -> Int {
        var done = 0
        while done < buffer.count {
            let count = pread(
                descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                throw DiskError(errno, "pread", path)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    func readCached(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) -> Bool {
        dst_read_cached(descriptor, buffer.baseAddress, buffer.count, Int64(offset))
            == buffer.count
    }

    func sync() throws(DiskError) {
        // Never repeated: the kernel reports a lost page once and then forgets it.
        guard dst_sync_data(descriptor) == 0 else {
            throw .failed("fdatasync \(path): \(String(cString: strerror(errno)))")
        }
    }

    func writePages(_ pages: UnsafeRawBufferPointer, at offset: Int) throws(DiskError) {
        assert(Int(bitPattern: pages.baseAddress) % ChunkStoreLimits.alignment == 0)
        assert(pages.count % ChunkStoreLimits.alignment == 0)
        let done = try writePast(pages, at: offset)
        if done == pages.count { return }
        // The file system does not do it, or stopped half-way: by the page cache, then.
        try write([pages.part(done..<pages.count)], at: offset + done)
        dst_start_writeback(descriptor, Int64(offset + done), Int64(pages.count - done))
    }

    /// Writes past the page cache.
    ///
    /// - Returns: Bytes written; fewer than all where that is not possible.
    private func writePast(
        _ pages: UnsafeRawBufferPointer, at offset: Int
    ) throws(DiskError) -> Int {
        guard let direct = directDescriptor() else { return 0 }
        var done = 0
        while done < pages.count {
            let rest = pages.part(done..<pages.count)
            let count = pwrite(direct, rest.baseAddress, rest.count, off_t(offset + done))
            if count < 0 {
                if errno == EINTR { continue }
                // A device with larger sectors than our pages.
                if errno == EINVAL { return done }
                throw DiskError(errno, "pwrite", path)
            }
            done += count
            if count % ChunkStoreLimits.alignment != 0 { break }
        }
        return done
    }

    private func directDescriptor() -> Int32? {
        direct.withLock { direct in
            if let direct { return direct >= 0 ? direct : nil }
            let opened = dst_open_direct(path)
            direct = opened
            return opened >= 0 ? opened : nil
        }
    }

    func punch(_ range: Range<Int>) throws(DiskError) {
        guard dst_punch_hole(descriptor, Int64(range.lowerBound), Int64(range.count)) == 0 else {
            throw DiskError(errno, "punch", path)
        }
    }

    func truncate(to bytes: Int) throws(DiskError) {
        guard ftruncate(descriptor, off_t(bytes)) == 0 else {
            throw DiskError(errno, "ftruncate", path)
        }
    }

    func nextData(from offset: Int) throws(DiskError) -> Int? {
        let result = dst_next_data(descriptor, Int64(offset))
        if result >= 0 { return Int(result) }
        if errno == ENXIO { return nil }
        // A file system without holes: everything is data.
        if errno == EINVAL || errno == EOPNOTSUPP { return offset < (try size()) ? offset : nil }
        throw DiskError(errno, "lseek", path)
    }
}

extension DiskError {
    init(_ code: Int32, _ call: String, _ path: String) {
        self =
            switch code {
            case ENOSPC, EDQUOT: .full
            case ENOENT: .notFound(path)
            default: .failed("\(call) \(path): \(String(cString: strerror(code)))")
            }
    }
}
