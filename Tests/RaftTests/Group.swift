import Core
import Raft

/// A few members and a wire that is moved by hand.
struct Group {
    struct Member {
        /// Nil: down.
        var node: RaftNode?
        /// What a restart finds.
        var disk: RaftRecovery
        /// The disk does not finish writes until it is released.
        var isHeld = false
        var held: [RaftReady] = []
        var commands: [String] = []
        var reads: [UInt64: LogIndex?] = [:]
    }

    /// The first is member 1.
    var members: [Member] = []
    var now: UInt64 = 1_000_000
    var wire: [RaftMessage] = []
    /// Nothing goes to or from these.
    var isolated: Set<Int> = []
    /// What happened, for scripts.
    var transcript: [String] = []
    var configure: (inout RaftConfiguration) -> Void = { _ in }

    init(
        voters: Int, learners: Int = 0,
        configure: @escaping (inout RaftConfiguration) -> Void = { _ in }
    ) {
        self.configure = configure
        let membership = Membership(
            voters: (1...voters).map(Self.id),
            learners: (0..<learners).map { Self.id(voters + 1 + $0) })
        for _ in 1...(voters + learners) { add(membership) }
    }

    static func id(_ number: Int) -> NodeID { NodeID(high: 0, low: UInt64(number)) }

    var time: MonotonicTime { MonotonicTime(milliseconds: now) }

    subscript(_ number: Int) -> RaftNode {
        get { members[number - 1].node! }
        set { members[number - 1].node = newValue }
    }

    func commands(_ number: Int) -> [String] { members[number - 1].commands }
    func reads(_ number: Int) -> [UInt64: LogIndex?] { members[number - 1].reads }

    // MARK: Members

    @discardableResult
    mutating func add(_ membership: Membership = .none) -> Int {
        members.append(Member(disk: RaftRecovery(first: membership)))
        start(members.count)
        return members.count
    }

    mutating func start(_ number: Int) {
        var configuration = RaftConfiguration(id: Self.id(number))
        configure(&configuration)
        members[number - 1].node = RaftNode(
            configuration: configuration, recovery: members[number - 1].disk,
            seed: UInt64(number), now: time)
    }

    mutating func crash(_ number: Int) {
        members[number - 1].node = nil
        members[number - 1].held = []
        members[number - 1].commands = []
    }

    mutating func restart(_ number: Int) {
        crash(number)
        start(number)
    }

    // MARK: Events

    /// Nobody has heard a leader for long, and `number` is the first to notice.
    mutating func timeOut(_ number: Int) {
        now += 2 * self[number].configuration.electionTimeoutMilliseconds
        tick(number)
    }

    mutating func tick(_ number: Int) {
        let time = time
        members[number - 1].node?.tick(now: time)
        pump(number)
    }

    mutating func elect(_ number: Int) {
        timeOut(number)
        deliver()
    }

    /// All members tick for a while, and messages take no time.
    mutating func run(milliseconds: UInt64, delivering: Bool = true) {
        let end = now + milliseconds
        while now < end {
            now += 50
            for number in 1...members.count where members[number - 1].node != nil { tick(number) }
            if delivering { deliver() }
        }
    }

    @discardableResult
    mutating func propose(_ number: Int, _ text: String) throws(RaftError) -> RaftProposal {
        let proposal = try self[number].propose([Array(text.utf8)], now: time)
        pump(number)
        return proposal
    }

    mutating func change(_ number: Int, _ change: MembershipChange) throws(RaftError) {
        _ = try self[number].proposeMembership(change, now: time)
        pump(number)
    }

    mutating func read(_ number: Int, _ token: UInt64) throws(RaftError) {
        try self[number].readIndex(token: token, now: time)
        pump(number)
    }

    mutating func transfer(_ number: Int, to heir: Int) throws(RaftError) {
        try self[number].transferLeadership(to: Self.id(heir), now: time)
        pump(number)
    }

    mutating func step(_ message: RaftMessage) {
        let number = Int(message.to.low)
        guard number <= members.count else { return }
        let time = time
        members[number - 1].node?.step(message, now: time)
        pump(number)
    }

    // MARK: Wire

    private func isLost(_ message: RaftMessage) -> Bool {
        isolated.contains(Int(message.from.low)) || isolated.contains(Int(message.to.low))
    }

    /// Everything, also what comes of it.
    mutating func deliver(where isWanted: (RaftMessage) -> Bool = { _ in true }) {
        var budget = 10_000
        while let slot = wire.firstIndex(where: isWanted), budget > 0 {
            budget -= 1
            let message = wire.remove(at: slot)
            if isLost(message) { continue }
            transcript.append(message.text)
            step(message)
        }
        precondition(budget > 0, "the members never stop talking")
    }

    mutating func drop(where isUnwanted: (RaftMessage) -> Bool = { _ in true }) {
        wire.removeAll(where: isUnwanted)
    }

    // MARK: The shell

    mutating func pump(_ number: Int) {
        let time = time
        while members[number - 1].node?.hasReady == true {
            guard let ready = members[number - 1].node?.ready(now: time) else { return }
            note(number, ready)
            wire += ready.messagesNow
            if ready.write != nil {
                members[number - 1].held.append(ready)
                if !members[number - 1].isHeld { sync(number) }
            }
            for read in ready.readStates {
                members[number - 1].reads[read.token] = .some(read.index)
            }
            for wanted in ready.entriesWanted { supply(number, wanted) }
            for node in ready.snapshotsToSend { sendSnapshot(number, to: node) }
            if let mark = ready.snapshotToInstall { install(number, mark) }
            for entry in ready.committed {
                if case .command(let bytes) = entry.payload {
                    members[number - 1].commands.append(String(decoding: bytes, as: UTF8.self))
                }
                self[number].applied(entry.index)
            }
        }
    }

    /// Writes that are held reach the disk.
    mutating func sync(_ number: Int) {
        let writes = members[number - 1].held
        members[number - 1].held = []
        for ready in writes {
            if let hardState = ready.hardState { members[number - 1].disk.hardState = hardState }
            if let first = ready.entries.first {
                members[number - 1].disk.entries.removeAll { $0.index >= first.index }
                members[number - 1].disk.entries += ready.entries
            }
            if let write = ready.write { self[number].persisted(write: write, now: time) }
            wire += ready.messagesAfterPersist
        }
    }

    private mutating func supply(_ number: Int, _ wanted: RaftReady.EntriesWanted) {
        let disk = members[number - 1].disk
        let entries = disk.entries.filter { $0.index >= wanted.from }
        let previous =
            disk.entries.first { $0.index == wanted.from.previous }?.position ?? disk.start
        transcript.append("\(number): reads from \(wanted.from) on disk")
        self[number].supply(wanted, previousTerm: previous.term, entries: entries, now: time)
    }

    private mutating func sendSnapshot(_ number: Int, to node: NodeID) {
        let core = self[number]
        guard let mark = core.mark(at: core.appliedIndex) else { return }
        wire.append(
            RaftMessage(from: core.id, to: node, term: core.term, kind: .snapshot(mark)))
        self[number].snapshotSent(to: node, mark: mark, isDelivered: true, now: time)
    }

    private mutating func install(_ number: Int, _ mark: SnapshotMark) {
        let index = mark.position.index
        members[number - 1].disk = RaftRecovery(
            hardState: members[number - 1].disk.hardState, membership: mark.membership,
            firstIndex: index.next, start: mark.position, entries: [], applied: index)
        self[number].snapshotInstalled(now: time)
    }

    /// A durable checkpoint at what is applied, and the log before it gone.
    mutating func compact(_ number: Int) {
        let core = self[number]
        guard let mark = core.mark(at: core.appliedIndex) else { return }
        self[number].compacted(to: mark.position.index)
        let rest = members[number - 1].disk.entries.filter { $0.index > mark.position.index }
        members[number - 1].disk = RaftRecovery(
            hardState: members[number - 1].disk.hardState, membership: mark.membership,
            firstIndex: mark.position.index.next, start: mark.position, entries: rest,
            applied: mark.position.index)
    }

    private mutating func note(_ number: Int, _ ready: RaftReady) {
        if let soft = ready.softState {
            let leader = soft.leader.map { " of \($0.low)" } ?? ""
            transcript.append("\(number): \(soft.role)\(leader) in term \(soft.term)")
        }
        if let hardState = ready.hardState {
            let vote = hardState.votedFor.map { "\($0.low)" } ?? "nobody"
            transcript.append("\(number): stores term \(hardState.term), vote for \(vote)")
        }
        if !ready.entries.isEmpty {
            transcript.append("\(number): stores \(ready.entries.text)")
        }
        if !ready.committed.isEmpty {
            transcript.append("\(number): applies \(ready.committed.text)")
        }
        for read in ready.readStates {
            transcript.append(
                "\(number): read \(read.token) \(read.index.map { "at \($0)" } ?? "failed")")
        }
        if let mark = ready.snapshotToInstall {
            transcript.append("\(number): installs a snapshot at \(mark.position)")
        }
    }
}
