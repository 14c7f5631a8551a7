import Foundation
import Synchronization

/// The few system calls on small files that must be exact about durability.
enum SystemFile {
    struct Failure: Error, Equatable {
        let operation: String
        let code: Int32
        var reason: String { String(cString: strerror(code)) }
    }

    static func read(_ path: String, bytesMax: Int) throws(Failure) -> Data {
        let file = FileHandleOwner(open(path, O_RDONLY | O_CLOEXEC))
        guard file.isOpen else { throw failure("open") }
        var bytes = Data()
        var buffer = [UInt8](repeating: 0, count: 4096)
        while bytes.count <= bytesMax {
            let count = buffer.withUnsafeMutableBytes { raw in
                repeating { Foundation.read(file.descriptor, raw.baseAddress, raw.count) }
            }
            if count < 0 { throw failure("read") }
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<count])
        }
        throw Failure(operation: "read", code: EFBIG)
    }

    static func remove(_ path: String) throws(Failure) {
        guard unlink(path) == 0 else { throw failure("unlink") }
    }

    /// Makes the directory and its parents; durable when it returns.
    static func makeDirectory(_ path: String) throws(Failure) {
        var status = stat()
        if stat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFDIR else {
                throw Failure(operation: "mkdir", code: ENOTDIR)
            }
            return
        }
        let parent = parent(of: path)
        if parent != path { try makeDirectory(parent) }
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure("mkdir") }
        try syncDirectory(of: path)
    }

    /// Locks the file against other processes until the result is released, and writes our process
    /// id into it for people.
    static func lock(_ path: String) throws(Failure) -> FileHandleOwner {
        let file = FileHandleOwner(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600))
        guard file.isOpen else { throw failure("open") }
        guard flock(file.descriptor, LOCK_EX | LOCK_NB) == 0 else { throw failure("flock") }
        let text = Array("\(getpid())\n".utf8)
        guard ftruncate(file.descriptor, 0) == 0,
            pwrite(file.descriptor, text, text.count, 0) == text.count
        else { throw failure("write") }
        return file
    }

    static func freeBytes(_ path: String) throws(Failure) -> Int {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { throw failure("statvfs") }
        return Int(clamping: UInt64(status.f_bavail) &* UInt64(status.f_frsize))
    }

    private static func syncDirectory(of path: String) throws(Failure) {
        do {
            try DurableFile.syncDirectory(parent(of: path))
        } catch {
            throw Failure(operation: error.call, code: error.code)
        }
    }

    private static func parent(of path: String) -> String {
        let path = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func failure(_ operation: String) -> Failure {
        Failure(operation: operation, code: errno)
    }

    /// Calls again where a signal interrupted.
    private static func repeating(_ call: () -> Int) -> Int {
        while true {
            let count = call()
            if count >= 0 || errno != EINTR { return count }
        }
    }
}

/// An open file that is closed when nobody holds it any more.
final class FileHandleOwner: Sendable {
    let descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { if isOpen { close(descriptor) } }

    var isOpen: Bool { descriptor >= 0 }
}

/// A node's identity, shared by what runs in its process.
final class LockedIdentity: Sendable {
    private let state: Mutex<NodeIdentity>

    init(_ identity: NodeIdentity) { state = Mutex(identity) }

    var value: NodeIdentity {
        get { state.withLock { $0 } }
        set { state.withLock { $0 = newValue } }
    }
}
