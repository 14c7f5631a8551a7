import Core
import Foundation

/// What the first process of a container owes to the kernel, where this program is it.
enum FirstProcess {
    static var isThis: Bool { getpid() == 1 }

    /// Called before anything else. Does nothing for other processes, for which the kernel does
    /// it.
    ///
    /// - The kernel drops signals to process 1 that it has no handler for: without one, what comes
    ///   before a command installs its own (or in commands without one) could only be killed.
    ///   Nothing has been promised to anybody by then, so ending at once is right.
    /// - Orphans of other processes in the container (`docker exec`) become ours. Where SIGCHLD is
    ///   ignored, the kernel buries them. This program starts no processes of its own.
    static func prepare() {
        guard isThis else { return }
        for number in [SIGTERM, SIGINT, SIGHUP, SIGQUIT] {
            signal(number) { _exit(128 + $0) }
        }
        signal(SIGCHLD, SIG_IGN)
    }

    /// In a container, refuses a data directory that would vanish with it.
    ///
    /// - Throws: ``MissingVolume`` where this is process 1 and the directory, or the nearest one
    ///   above it that exists, is on the root file system.
    static func checkVolume(_ path: String) throws(MissingVolume) {
        guard isThis, let root = device(of: "/") else { return }
        var place = path
        while device(of: place) == nil, place != "/" {
            place = URL(fileURLWithPath: place).deletingLastPathComponent().path
        }
        if device(of: place) == root { throw MissingVolume(path: path) }
    }

    private static func device(of path: String) -> UInt64? {
        var status = stat()
        return stat(path, &status) == 0 ? UInt64(status.st_dev) : nil
    }
}

/// There is no volume for the data. The process refuses to start.
struct MissingVolume: Error, CustomStringConvertible {
    let path: String

    var description: String {
        "no volume is mounted at \(path): what this node keeps would vanish with its container, or "
            + "can't be written at all where the root file system is read-only; mount one (docker "
            + "run -v NAME:\(path) …), or set DATA_PATH to where one is mounted"
    }
}
