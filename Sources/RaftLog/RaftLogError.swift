import Core
import Raft

/// Operating errors of the log. Each says what the caller does next.
package enum RaftLogError: Error, Hashable, Sendable {
    /// No room for another segment; what the failed call wrote so far is harmless. The caller
    /// truncates groups (which needs no new segment), then repeats the whole call.
    case full
    /// Bytes that were once durable are not what was written. The node does not start: its log is
    /// lost, and it comes back as a new member.
    case corrupt(file: String, offset: Int, what: String)
    /// Written by a newer program. The node does not start.
    case unsupportedVersion(file: String, version: Int)
    /// The disk failed. The process stops: after a failed sync nobody knows what is on the disk.
    case failed(DiskError)
    /// An earlier call failed. As ``failed(_:)``.
    case poisoned
    /// The entries were truncated; the first that remains is `first`. The caller sends a snapshot.
    case compacted(RangeID, first: LogIndex)
}

/// A system call failed.
package struct DiskError: Error, Hashable, Sendable {
    package enum Operation: String, Hashable, Sendable {
        case list, create, open, read, write, sync, truncate, remove, syncDirectory
    }
    package let operation: Operation
    package let file: String
    /// As the system gives it (`errno`).
    package let code: Int32

    package init(_ operation: Operation, file: String, code: Int32) {
        self.operation = operation
        self.file = file
        self.code = code
    }
}

/// Runs `body`, whose failure is the log's.
func attempt<Value>(_ body: () throws(DiskError) -> Value) throws(RaftLogError) -> Value {
    do { return try body() } catch { throw .failed(error) }
}
