#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// `errno` values that the log tells apart.
enum SystemCode {
    static let noSpace = ENOSPC
    static let quotaExceeded = EDQUOT
    static let noFile = ENOENT
    static let inputOutput = EIO
}

/// The real disk: one directory.
package struct FileDisk: LogDisk {
    package let directory: String

    /// - Parameter directory: Must exist.
    package init(directory: String) { self.directory = directory }

    private func path(_ name: String) -> String { directory + "/" + name }

    package func list() throws(DiskError) -> [String] {
        guard let stream = opendir(directory) else {
            throw DiskError(.list, file: directory, code: errno)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    package func create(_ name: String, bytes: Int) throws(DiskError) -> any LogFile {
        let descriptor = open_(path(name), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC)
        guard descriptor >= 0 else { throw DiskError(.create, file: name, code: errno) }
        let file = OpenFile(name: name, descriptor: descriptor)
        let code = Self.allocate(descriptor, bytes)
        guard code == 0 else {
            unlink(path(name))
            throw DiskError(.create, file: name, code: code)
        }
        return file
    }

    package func open(_ name: String) throws(DiskError) -> any LogFile {
        let descriptor = open_(path(name), O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw DiskError(.open, file: name, code: errno) }
        return OpenFile(name: name, descriptor: descriptor)
    }

    package func remove(_ name: String) throws(DiskError) {
        guard unlink(path(name)) == 0 else { throw DiskError(.remove, file: name, code: errno) }
    }

    package func syncDirectory() throws(DiskError) {
        let descriptor = open_(directory, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw DiskError(.syncDirectory, file: directory, code: errno)
        }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else {
            throw DiskError(.syncDirectory, file: directory, code: errno)
        }
    }

    private func open_(_ path: String, _ flags: Int32) -> Int32 {
        while true {
            let descriptor = openFile(path, flags)
            if descriptor >= 0 || errno != EINTR { return descriptor }
        }
    }

    /// - Returns: 0 or an error code.
    private static func allocate(_ descriptor: Int32, _ bytes: Int) -> Int32 {
        #if canImport(Darwin)
            return ftruncate(descriptor, off_t(bytes)) == 0 ? 0 : errno
        #else
            while true {
                let code = posix_fallocate(descriptor, 0, off_t(bytes))
                if code == EINTR { continue }
                // A file system that cannot set room aside: the size alone must do.
                guard code == EOPNOTSUPP || code == EINVAL else { return code }
                return ftruncate(descriptor, off_t(bytes)) == 0 ? 0 : errno
            }
        #endif
    }
}

/// Outside of `FileDisk`, whose own `open` hides the system's.
private func openFile(_ path: String, _ flags: Int32) -> Int32 { open(path, flags, 0o600) }

private final class OpenFile: LogFile {
    let name: String
    private let descriptor: Int32

    init(name: String, descriptor: Int32) {
        self.name = name
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    func size() throws(DiskError) -> Int {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            throw DiskError(.read, file: name, code: errno)
        }
        return Int(status.st_size)
    }

    func read(_ range: Range<Int>) throws(DiskError) -> [UInt8] {
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
            count = 0
            while count < range.count {
                let result = pread(
                    descriptor, buffer.baseAddress! + count, range.count - count,
                    off_t(range.lowerBound + count))
                if result > 0 {
                    count += result
                } else if result == 0 {
                    return
                } else if errno != EINTR {
                    code = errno
                    return
                }
            }
        }
        guard code == 0 else { throw DiskError(.read, file: name, code: code) }
        return bytes
    }

    func write(_ bytes: [UInt8], at offset: Int) throws(DiskError) {
        let code = bytes.withUnsafeBytes { buffer -> Int32 in
            var done = 0
            while done < buffer.count {
                let result = pwrite(
                    descriptor, buffer.baseAddress! + done, buffer.count - done,
                    off_t(offset + done))
                if result >= 0 {
                    done += result
                } else if errno != EINTR {
                    return errno
                }
            }
            return 0
        }
        guard code == 0 else { throw DiskError(.write, file: name, code: code) }
    }

    func sync() throws(DiskError) {
        #if canImport(Darwin)
            let result = fcntl(descriptor, F_FULLFSYNC)
        #else
            let result = fdatasync(descriptor)
        #endif
        guard result == 0 else { throw DiskError(.sync, file: name, code: errno) }
    }

    func truncate(to bytes: Int) throws(DiskError) {
        while ftruncate(descriptor, off_t(bytes)) != 0 {
            if errno != EINTR { throw DiskError(.truncate, file: name, code: errno) }
        }
    }
}
