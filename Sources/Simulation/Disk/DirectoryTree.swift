import CCore
import Foundation

/// What is below a directory, in an order that depends on names only, and how it is copied.
struct DirectoryTree {
    enum Kind: Equatable {
        case directory
        case file
        case symbolicLink
    }

    struct Entry {
        /// Relative to the directory; parents stand before their children.
        let path: String
        let kind: Kind
        /// Access rights.
        let mode: mode_t
        let identity: FileIdentity
        /// How many names the file has, here and elsewhere.
        let nameCount: Int
    }

    let root: String
    private(set) var entries: [Entry] = []

    /// Symbolic links are not followed. Sockets, pipes and devices are left out, and so are the
    /// shared-memory files of SQLite, whose content no reboot keeps.
    init(_ root: String) throws(PowerCutError) {
        self.root = root
        try read("")
    }

    private mutating func read(_ folder: String) throws(PowerCutError) {
        let path = root + "/" + folder
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
            throw PowerCutError("readdir", path)
        }
        for name in names.sorted() { try add(folder + name) }
    }

    private mutating func add(_ path: String) throws(PowerCutError) {
        var status = stat()
        guard lstat(root + "/" + path, &status) == 0 else { throw PowerCutError("lstat", path) }
        let kind: Kind
        switch status.st_mode & S_IFMT {
        case S_IFDIR: kind = .directory
        case S_IFREG where path.hasSuffix("-shm"): return
        case S_IFREG: kind = .file
        case S_IFLNK: kind = .symbolicLink
        default: return
        }
        entries.append(
            Entry(
                path: path, kind: kind, mode: status.st_mode & 0o7777,
                identity: FileIdentity(status), nameCount: Int(status.st_nlink)))
        if kind == .directory { try read(path + "/") }
    }

    // MARK: Copying

    /// Makes `target` and everything below it. Files with several names keep them.
    ///
    /// - Parameter content: What a file's copy holds, or `nil` for the same as the file.
    func copy(
        to target: String, content: (Entry) throws(PowerCutError) -> [UInt8]?
    ) throws(PowerCutError) {
        guard mkdir(target, 0o700) == 0 else { throw PowerCutError("mkdir", target) }
        var copied: [FileIdentity: String] = [:]
        for entry in entries {
            let path = target + "/" + entry.path
            switch entry.kind {
            case .directory:
                guard mkdir(path, entry.mode) == 0 else { throw PowerCutError("mkdir", path) }
            case .symbolicLink: try copyLink(entry, to: path)
            case .file:
                if let other = copied[entry.identity] {
                    guard link(other, path) == 0 else { throw PowerCutError("link", path) }
                    continue
                }
                if entry.nameCount > 1 { copied[entry.identity] = path }
                try copyFile(entry, to: path, content: try content(entry))
            }
        }
    }

    private func copyLink(_ entry: Entry, to path: String) throws(PowerCutError) {
        let source = root + "/" + entry.path
        guard let to = try? FileManager.default.destinationOfSymbolicLink(atPath: source) else {
            throw PowerCutError("readlink", source)
        }
        guard symlink(to, path) == 0 else { throw PowerCutError("symlink", path) }
    }

    private func copyFile(
        _ entry: Entry, to path: String, content: [UInt8]?
    ) throws(PowerCutError) {
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, entry.mode)
        guard file >= 0 else { throw PowerCutError("open", path) }
        defer { close(file) }
        if let content {
            try Self.write(content, count: content.count, to: file, at: 0, path)
        } else {
            try copyBytes(of: root + "/" + entry.path, to: file, path)
        }
    }

    /// Holes stay holes: segments are preallocated, and mostly empty in a simulation.
    private func copyBytes(
        of source: String, to target: Int32, _ path: String
    ) throws(PowerCutError) {
        let file = open(source, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw PowerCutError("open", source) }
        defer { close(file) }
        let size = lseek(file, 0, SEEK_END)
        guard size >= 0, ftruncate(target, size) == 0 else { throw PowerCutError("lseek", source) }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var offset = dst_next_data(file, 0)
        while offset >= 0, offset < size {
            let count = pread(file, &buffer, buffer.count, off_t(offset))
            guard count > 0 else { throw PowerCutError("pread", source) }
            try Self.write(buffer, count: count, to: target, at: Int(offset), path)
            offset = dst_next_data(file, offset + Int64(count))
        }
        guard offset >= 0 || errno == ENXIO else { throw PowerCutError("lseek", source) }
    }

    private static func write(
        _ bytes: [UInt8], count: Int, to file: Int32, at offset: Int, _ path: String
    ) throws(PowerCutError) {
        var done = 0
        while done < count {
            let written = bytes.withUnsafeBytes { bytes in
                pwrite(file, bytes.baseAddress! + done, count - done, off_t(offset + done))
            }
            guard written > 0 else { throw PowerCutError("pwrite", path) }
            done += written
        }
    }

    /// The whole of a file.
    func bytes(of entry: Entry) throws(PowerCutError) -> [UInt8] {
        let path = root + "/" + entry.path
        guard let data = FileManager.default.contents(atPath: path) else {
            throw PowerCutError("read", path)
        }
        return Array(data)
    }
}

/// A system call failed while the copy was made: no part of the simulation, which ends.
package struct PowerCutError: Error, Equatable, CustomStringConvertible {
    package let call: String
    package let path: String
    package let code: Int32

    init(_ call: String, _ path: String) {
        self.call = call
        self.path = path
        code = errno
    }

    package var description: String { "\(call) \(path): \(String(cString: strerror(code)))" }
}
