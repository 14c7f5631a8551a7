import Foundation

/// A file that SQLite opened, and what it did to it since the last sync.
///
/// Known by its inode, so that it stays the same file when somebody renames or links it. The number
/// stays taken while this value is in use: the file is held open here, without reading or writing,
/// which also (on Linux) does not touch the locks that SQLite holds on it.
struct TrackedFile {
    /// `open` for nothing but the file's status; the headers hide the name.
    #if os(Linux)
        private static let openFlags: Int32 = 0o10_000_000 | O_CLOEXEC
    #else
        private static let openFlags = O_EVTONLY | O_CLOEXEC
    #endif

    /// Oldest first.
    private(set) var changes: [FileChange] = []
    var handleCount = 0
    private let pin: Int32

    /// - Returns: `nil` when there is no such file, or too many are open.
    static func open(_ path: String) -> (FileIdentity, TrackedFile)? {
        let pin = Foundation.open(path, openFlags)
        guard pin >= 0 else { return nil }
        let file = TrackedFile(pin: pin)
        guard let status = file.status else {
            close(pin)
            return nil
        }
        return (FileIdentity(status), file)
    }

    private init(pin: Int32) { self.pin = pin }

    /// The last use of the value.
    func release() { close(pin) }

    /// Nobody can ask for it any more: closed and without a name, or with nothing to lose.
    var isOver: Bool {
        handleCount == 0 && (changes.isEmpty || (status?.st_nlink ?? 0) == 0)
    }

    mutating func append(_ change: FileChange) { changes.append(change) }

    mutating func synced() { changes.removeAll() }

    private var status: stat? {
        var status = stat()
        return fstat(pin, &status) == 0 ? status : nil
    }

    /// The file as a power cut leaves it.
    ///
    /// - Parameter content: The file as it is.
    /// - Parameter fates: By the changes' sequence numbers, all of them.
    /// - Complexity: O(bytes of the file and of the changes).
    func content(after content: [UInt8], fates: [Int: ChangeFate]) -> [UInt8] {
        var content = content
        var newBytes: [[UInt8]] = []
        for change in changes.reversed() { newBytes.append(change.undo(in: &content)) }
        for (change, bytes) in zip(changes, newBytes.reversed()) {
            guard let fate = fates[change.sequence] else { preconditionFailure("no fate drawn") }
            change.redo(in: &content, newBytes: bytes, as: fate)
        }
        return content
    }
}

extension FileIdentity {
    init(_ status: stat) {
        // Signed on Darwin, unsigned on Linux.
        device = UInt64(truncatingIfNeeded: status.st_dev)
        number = UInt64(status.st_ino)
    }

    /// - Returns: `nil` when there is no such file.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }
}
