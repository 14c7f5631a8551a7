/// Limits of every group, whatever its configuration.
package enum RaftLimits {
    /// What an entry counts for beside its bytes.
    package static let entryOverheadBytes = 32
    /// One command, at most.
    package static let commandBytesMax = 1 << 20
    /// Voters and learners of one group, at most: progress is searched one by one.
    package static let membersMax = 31
    /// Writes handed to the shell and not yet durable, at most.
    package static let pendingWritesMax = 1024

    /// Relations between limits. Run once at start-up and once in a test.
    package static func check() {
        precondition(commandBytesMax > entryOverheadBytes)
        precondition(membersMax >= 3)
        precondition(pendingWritesMax > 1)
    }
}
