import NIOCore
import Wire

/// Every bound of this module, and how they relate.
package enum CoordinatorLimits {
    package static let foundersMax = 7
    package static let replicationFactorMax = 9
    package static let rangeCountMax = 256
    /// Long polls that wait at once; more are answered at once.
    package static let watchesMax = 8_192
    package static let watchMillisecondsMax = 2_000
    /// Partitions that move at once: few, because no new chunks go to a partition while it moves.
    package static let movesMax = 256
    package static let movesPerNodeMax = 128
    /// Garbage and repair rows taken up in one round of one range.
    package static let garbageRowsPerPage = 500
    package static let garbagePagesPerRound = 4
    package static let repairRowsPerRound = 100
    package static let fencesPerRound = 100
    /// Chunks in one request to delete (see chunk.proto).
    package static let chunksPerDelete = 1_000
    package static let problemsPerNodeMax = 16
    /// One question to the catalogue before a certificate is issued; there are two at most.
    static let enrolmentQueryTime = TimeAmount.seconds(4)

    /// Run once at start-up and once in a test.
    package static func check() {
        precondition(movesMax * 4 <= 4096, "most partitions take new chunks while some move")
        precondition(movesPerNodeMax <= movesMax, "a node moves no more than the cluster")
        precondition(
            enrolmentQueryTime * 2 < WireLimits.enrolmentTime, "a joining node hears the answer")
        precondition(foundersMax >= VoterPlan.votersMax, "all voters may be founders")
    }
}
