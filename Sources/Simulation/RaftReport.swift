/// What many seeds did: that nothing broke, and that enough was tried for it to mean something.
package struct RaftReport: Sendable, CustomStringConvertible {
    package var seeds = 0
    package var counts = Counts()
    /// At most ``violationsMax``.
    package var violations: [RaftViolation] = []

    package static let violationsMax = 10

    package struct Counts: Sendable, Hashable {
        package var elections = 0
        package var commits = 0
        package var leaseReads = 0
        package var indexReads = 0
        package var crashes = 0
        package var pauses = 0
        package var partitions = 0
        package var membershipChanges = 0
        package var transfers = 0
        package var snapshotsInstalled = 0
        package var diskFetches = 0
        package var refusals = 0
        package var messages = 0

        package static func += (left: inout Self, right: Self) {
            left.elections += right.elections
            left.commits += right.commits
            left.leaseReads += right.leaseReads
            left.indexReads += right.indexReads
            left.crashes += right.crashes
            left.pauses += right.pauses
            left.partitions += right.partitions
            left.membershipChanges += right.membershipChanges
            left.transfers += right.transfers
            left.snapshotsInstalled += right.snapshotsInstalled
            left.diskFetches += right.diskFetches
            left.refusals += right.refusals
            left.messages += right.messages
        }
    }

    package var description: String {
        let head = "\(seeds) seeds, \(violations.count) violations"
        let body = """
            elections \(counts.elections), entries \(counts.commits), \
            lease reads \(counts.leaseReads), index reads \(counts.indexReads), \
            crashes \(counts.crashes), pauses \(counts.pauses), partitions \(counts.partitions), \
            membership changes \(counts.membershipChanges), transfers \(counts.transfers), \
            snapshots \(counts.snapshotsInstalled), disk fetches \(counts.diskFetches), \
            refused proposals \(counts.refusals), messages \(counts.messages)
            """
        return ([head, body] + violations.map(\.description)).joined(separator: "\n")
    }
}
