/// What goes wrong with the SQLite files below a directory, until it is lifted.
package struct DiskFaults: Equatable, Sendable {
    /// Bytes that may still be written, over old ones or new; the write that passes it stops there,
    /// and it and all later ones fail with `SQLITE_FULL`. `nil`: there is room for everything.
    package var bytesLeft: Int?
    /// Syncs fail with `SQLITE_IOERR_FSYNC`; what they should have covered stays unsynced.
    package var failsSyncs: Bool
    /// Reads fail with `SQLITE_IOERR_READ`. What SQLite has in its caches it still answers.
    package var failsReads: Bool

    package init(bytesLeft: Int? = nil, failsSyncs: Bool = false, failsReads: Bool = false) {
        precondition(bytesLeft ?? 0 >= 0)
        self.bytesLeft = bytesLeft
        self.failsSyncs = failsSyncs
        self.failsReads = failsReads
    }
}

/// What SQLite is about to do to a file.
package struct DiskChange: Equatable, Sendable {
    package enum Kind: Equatable, Sendable { case write, resize, sync, delete }

    package let kind: Kind
    package let path: String
}

/// What SQLite did to files since they were first opened.
package struct DiskCounters: Equatable, Sendable {
    /// That succeeded.
    package var syncCount = 0
    package var bytesWritten = 0
    package var bytesRead = 0

    static func += (sum: inout DiskCounters, other: DiskCounters) {
        sum.syncCount += other.syncCount
        sum.bytesWritten += other.bytesWritten
        sum.bytesRead += other.bytesRead
    }
}
