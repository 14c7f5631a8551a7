import Core
import Raft

/// One Raft group in one thread, everything that can go wrong, and checkers that see it all. The
/// same seed does the same, always.
package struct RaftWorld {
    enum Event {
        case tick(Int, generation: Int)
        case arrive(Int, SimulatedMember.Arrival)
        case diskDone(Int, generation: Int)
        case apply(Int, generation: Int)
        case resume(Int, generation: Int)
        case supply(Int, generation: Int, RaftReady.EntriesWanted)
        case snapshotSent(Int, generation: Int, to: NodeID, SnapshotMark, isDelivered: Bool)
        case restart(Int)
        case client
        case fault
    }

    /// Milliseconds of trouble, then the time in which everything must be well again.
    static let troubleMilliseconds: UInt64 = 4_000
    static let healingMilliseconds: UInt64 = 12_000

    let seed: UInt64
    var random: SeededRandom
    var time: UInt64 = 1
    var queue = EventQueue<Event>()
    var members: [SimulatedMember] = []
    var checker: RaftChecker
    var counts = RaftReport.Counts()
    var configuration: RaftConfiguration
    var weather: Weather
    var isHealing = false
    /// In healing: the command that all members must apply.
    var lastProposal: RaftProposal?
    var lastReads: Set<UInt64> = []
    var nextToken: UInt64 = 1
    var nextCommand: UInt64 = 1
    /// Directed links that are cut: from * 64 + to.
    var cutLinks: Set<Int> = []

    /// How bad things are; drawn from the seed.
    struct Weather {
        var lossPercent = 0
        var doublePercent = 0
        var delayMax: UInt64 = 5
        /// One in so many messages is late by up to a second.
        var straggler = 0
        var diskMax: UInt64 = 2
        var applyMax: UInt64 = 0
        var faultPause: UInt64 = 300
        var downMax: UInt64 = 800
        /// How many faults meet the leader.
        var leaderPercent = 50
        var changesMembership = false
    }

    package init(seed: UInt64) {
        self.seed = seed
        random = SeededRandom(seed: seed)
        let count = [1, 2, 3, 3, 3, 4, 5, 5].randomElement(using: &random) ?? 3
        let ids = (1...count).map { NodeID(high: 0, low: UInt64($0)) }
        let first = Membership(voters: ids)
        checker = RaftChecker(first: first)
        configuration = Self.configuration(using: &random)
        weather = Self.weather(using: &random)
        for _ in ids { addMember(first: first) }
        queue.add(.client, at: 20)
        queue.add(.fault, at: 300)
    }

    /// Runs each seed; goes on after a violation.
    package static func run(seeds: Range<UInt64>) -> RaftReport {
        var report = RaftReport()
        for seed in seeds {
            var world = RaftWorld(seed: seed)
            report.seeds += 1
            do throws(RaftViolation) {
                try world.run()
            } catch {
                report.violations.append(error)
                if report.violations.count >= RaftReport.violationsMax { return report }
            }
            report.counts += world.counts
        }
        return report
    }

    package mutating func run() throws(RaftViolation) {
        do throws(RaftChecker.Failure) {
            while time < Self.troubleMilliseconds { try advance() }
            heal()
            while try !isWell() {
                if time > Self.troubleMilliseconds + Self.healingMilliseconds {
                    throw RaftChecker.Failure(text: "liveness: not well again, \(picture)")
                }
                try advance()
            }
            counts.commits = Int(checker.commit.rawValue)
        } catch {
            throw RaftViolation(seed: seed, milliseconds: time, text: error.text)
        }
    }

    /// What breaks in it.
    package mutating func violation() -> RaftViolation? {
        do {
            try run()
            return nil
        } catch {
            return error
        }
    }

    private mutating func advance() throws(RaftChecker.Failure) {
        guard let (time, event) = queue.removeFirst() else { return }
        self.time = time
        switch event {
        case .client: try client()
        case .fault: fault()
        case .restart(let slot): restart(slot)
        case .arrive(let slot, let arrival): try arrive(slot, arrival)
        case .tick(let slot, let generation):
            guard members[slot].generation == generation else { return }
            let half = configuration.heartbeatMilliseconds / 2
            queue.add(
                event, at: time + .random(in: half...(half + half / 4), using: &random))
            guard isRunning(slot) else { return }
            let now = clock(slot)
            members[slot].node?.tick(now: now)
            try pump(slot)
        case .resume(let slot, let generation):
            guard members[slot].generation == generation else { return }
            try resume(slot)
        case .diskDone(let slot, let generation):
            guard members[slot].generation == generation else { return }
            try finishWrite(slot)
        case .apply(let slot, let generation):
            guard members[slot].generation == generation else { return }
            try apply(slot)
        case .supply(let slot, let generation, let wanted):
            guard members[slot].generation == generation else { return }
            try supply(slot, wanted)
        case .snapshotSent(let slot, let generation, let node, let mark, let isDelivered):
            guard members[slot].generation == generation else { return }
            let now = clock(slot)
            members[slot].node?.snapshotSent(
                to: node, mark: mark, isDelivered: isDelivered, now: now)
            try pump(slot)
        }
    }

    // MARK: Members

    func clock(_ slot: Int) -> MonotonicTime { members[slot].clock(at: time) }

    /// Up and not paused.
    func isRunning(_ slot: Int) -> Bool {
        members[slot].isUp && members[slot].pausedUntil <= time
    }

    mutating func addMember(first: Membership) {
        let slot = members.count
        members.append(
            SimulatedMember(
                id: NodeID(high: 0, low: UInt64(slot + 1)), first: first,
                clockDriftPercentMax: configuration.clockDriftPercentMax, using: &random))
        restart(slot)
    }

    mutating func restart(_ slot: Int) {
        guard !members[slot].isUp else { return }
        members[slot].start(configuration, time: time, using: &random)
        queue.add(.tick(slot, generation: members[slot].generation), at: time + 1)
    }

    func slot(of node: NodeID) -> Int? {
        let slot = Int(node.low) - 1
        return members.indices.contains(slot) ? slot : nil
    }

    // MARK: Getting well

    private mutating func heal() {
        isHealing = true
        cutLinks = []
        weather = Weather()
        for slot in members.indices {
            restart(slot)
            if members[slot].pausedUntil > time {
                members[slot].pausedUntil = time
                queue.add(.resume(slot, generation: members[slot].generation), at: time)
            }
        }
    }

    /// One leader, whose last command everybody has applied, and which answers reads both ways.
    private mutating func isWell() throws(RaftChecker.Failure) -> Bool {
        guard let proposal = lastProposal, lastReads.isEmpty,
            let leader = members.first(where: {
                $0.node?.isLeaderEstablished == true && $0.node?.term == proposal.term
            })?.node
        else { return false }
        for member in leader.membership.voters + leader.membership.learners {
            guard let slot = slot(of: member), members[slot].state.applied >= proposal.first else {
                return false
            }
        }
        guard let slot = slot(of: leader.id), !leader.isLeaseForfeited else { return true }
        guard let index = leader.leaseReadIndex(now: clock(slot)) else { return false }
        try checker.read(at: index, floor: checker.commit, kind: "lease")
        return true
    }

    private var picture: String {
        members.map { member in
            guard let node = member.node else { return "\(member.id.low): down" }

            return """
                \(member.id.low): \(node.role) term \(node.term) last \(node.lastPosition) \
                commit \(node.commitIndex) applied \(member.state.applied) \
                voters \(node.membership.voters.map(\.low)) \
                learners \(node.membership.learners.map(\.low))
                """
        }.joined(separator: "; ")
    }
}
