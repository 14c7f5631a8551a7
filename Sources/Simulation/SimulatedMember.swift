import Core
import DequeModule
import Raft

/// One process: the core, its shell's memory, its disk and its clock.
struct SimulatedMember {
    let id: NodeID
    /// Nil: the process is down.
    var node: RaftNode?
    var disk: MemberDisk
    /// Grows with each start; what was planned for an earlier process does not happen.
    var generation = 0
    /// Not zero: the process stands still until then. What arrives waits in `inbox`.
    var pausedUntil: UInt64 = 0
    var inbox: [Arrival] = []
    var isDiskBusy = false

    // Lost in a crash.
    var state = MemberDisk.State()
    var toApply: Deque<RaftEntry> = []
    var isApplying = false
    /// By token: what a read that began then must see.
    var reads: [UInt64: LogIndex] = [:]
    /// The newest snapshot that arrived, until it is installed.
    var arrived: (mark: SnapshotMark, state: MemberDisk.State)?
    /// What the checker has seen of this process.
    var commitSeen = LogIndex.zero
    var wasLeaderIn: Term?

    private let clockOffset: UInt64
    /// Clock milliseconds in 1,000 real ones.
    private let clockRate: UInt64

    enum Arrival {
        case message(RaftMessage)
        case snapshot(RaftMessage, MemberDisk.State)
    }

    init(
        id: NodeID, first membership: Membership, clockDriftPercentMax: UInt64,
        using random: inout SeededRandom
    ) {
        self.id = id
        disk = MemberDisk(first: membership)
        clockOffset = .random(in: 1...1_000_000, using: &random)
        // The fastest clock has done 100 when the slowest has done 100 - the drift.
        let fastest = 100_000 / (100 - clockDriftPercentMax)
        clockRate = Bool.random(using: &random) ? 1000 : .random(in: 1000...fastest, using: &random)
    }

    var isUp: Bool { node != nil }

    func clock(at time: UInt64) -> MonotonicTime {
        MonotonicTime(milliseconds: clockOffset + time * clockRate / 1000)
    }

    mutating func start(
        _ configuration: RaftConfiguration, time: UInt64, using random: inout SeededRandom
    ) {
        generation += 1
        var configuration = configuration
        configuration.id = id
        state = disk.state
        commitSeen = state.applied
        node = RaftNode(
            configuration: configuration, recovery: disk.recovery, seed: random.next(),
            now: clock(at: time))
    }

    mutating func crash(using random: inout SeededRandom) {
        generation += 1
        node = nil
        disk.crash(using: &random)
        pausedUntil = 0
        inbox = []
        isDiskBusy = false
        toApply = []
        isApplying = false
        reads = [:]
        arrived = nil
        wasLeaderIn = nil
    }
}
