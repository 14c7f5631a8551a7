#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Small files that are replaced as a whole: after a crash there is the old content or the new.
package enum DurableFile {
    /// Writes beside, syncs, renames, syncs the directory. When it returns, the bytes are on stable
    /// storage under `path`. Blocks.
    ///
    /// - Parameter mode: Access rights; secrets and identities are the owner's alone.
    package static func replace(
        _ path: String, with bytes: [UInt8], mode: mode_t = 0o600
    ) throws(DurableFileError) {
        let temporary = path + ".new"
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard file >= 0 else { throw DurableFileError("open", temporary) }
        do throws(DurableFileError) {
            try write(bytes, to: file, path: temporary)
            guard fsync(file) == 0 else { throw DurableFileError("fsync", temporary) }
        } catch {
            close(file)
            unlink(temporary)
            throw error
        }
        close(file)
        guard rename(temporary, path) == 0 else { throw DurableFileError("rename", path) }
        let slash = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        try syncDirectory(slash.isEmpty ? "/" : slash)
    }

    /// Makes the directory's entries durable: new, renamed and removed files.
    package static func syncDirectory(_ path: String) throws(DurableFileError) {
        let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw DurableFileError("open", path) }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw DurableFileError("fsync", path) }
    }

    private static func write(
        _ bytes: [UInt8], to file: Int32, path: String
    ) throws(DurableFileError) {
        var offset = 0
        while offset < bytes.count {
            let written = bytes.withUnsafeBytes {
                #if canImport(Glibc)
                    Glibc.write(file, $0.baseAddress! + offset, bytes.count - offset)
                #elseif canImport(Musl)
                    Musl.write(file, $0.baseAddress! + offset, bytes.count - offset)
                #else
                    Darwin.write(file, $0.baseAddress! + offset, bytes.count - offset)
                #endif
            }
            if written < 0 {
                if errno == EINTR { continue }
                throw DurableFileError("write", path)
            }
            offset += written
        }
    }
}

/// A system call on a small file failed; the caller stops, or tells the operator.
package struct DurableFileError: Error, Equatable, CustomStringConvertible {
    package let call: String
    package let path: String
    package let code: Int32

    fileprivate init(_ call: String, _ path: String) {
        self.call = call
        self.path = path
        self.code = errno
    }

    package var description: String { "\(call) \(path): \(String(cString: strerror(code)))" }
}
