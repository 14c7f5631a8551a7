#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

import Synchronization

/// The few file operations around SQLite's own.
package enum FileSync {
    package enum Operation: Equatable, Sendable {
        /// Of a file or a directory.
        case sync(String)
        case rename(String, to: String)
        case remove(String)
    }

    /// Told of each operation, before it is done and after. For tests that simulate the disk below
    /// SQLite, which does not see these.
    package static let observer = Mutex<(@Sendable (Operation, _ isDone: Bool) -> Void)?>(nil)

    private static func announce(_ operation: Operation, isDone: Bool) {
        observer.withLock { $0 }?(operation, isDone)
    }

    /// Makes the file's content durable; `false` where there is no such file.
    static func syncFile(_ path: String) throws(CatalogueError) -> Bool {
        announce(.sync(path), isDone: false)
        let file = open(path, O_RDONLY)
        if file < 0 {
            if errno == ENOENT { return false }
            throw failure(path, "open")
        }
        defer { close(file) }
        guard fsync(file) == 0 else { throw failure(path, "fsync") }
        announce(.sync(path), isDone: true)
        return true
    }

    /// Makes names in the file's directory durable.
    static func syncDirectory(of path: String) throws(CatalogueError) {
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { String(path[..<$0]) } ?? "."
        _ = try syncFile(directory.isEmpty ? "/" : directory)
    }

    static func size(_ path: String) -> Int? {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : nil
    }

    static func rename(_ path: String, to target: String) throws(CatalogueError) {
        announce(.rename(path, to: target), isDone: false)
        #if canImport(Darwin)
            let result = Darwin.rename(path, target)
        #elseif canImport(Musl)
            let result = Musl.rename(path, target)
        #else
            let result = Glibc.rename(path, target)
        #endif
        guard result == 0 else { throw failure(path, "rename to \(target)") }
        announce(.rename(path, to: target), isDone: true)
    }

    /// Removes the file if it is there.
    static func remove(_ path: String) throws(CatalogueError) {
        announce(.remove(path), isDone: false)
        guard unlink(path) == 0 || errno == ENOENT else { throw failure(path, "unlink") }
    }

    private static func failure(_ path: String, _ call: String) -> CatalogueError {
        let number = errno
        if number == ENOSPC { return .full(path: path) }
        return .failed(path: path, detail: "\(call): \(String(cString: strerror(number)))")
    }
}
