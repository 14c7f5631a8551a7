import Core
import DequeModule

/// What a leader knows of one member. The leader's own entry only counts its durable log.
struct Progress: Hashable, Sendable {
    enum State: Hashable, Sendable {
        /// Where the logs agree isn't known: one append at a time.
        case probe
        /// Appends go out without waiting (thesis 10.2.1).
        case replicate
        /// The log does not reach back far enough: the shell is sending a snapshot.
        case snapshot
    }

    let node: NodeID
    var isVoter: Bool
    /// The last entry known to be durable there.
    var match = LogIndex.zero
    /// The next entry to send. Greater than `match`.
    var next: LogIndex
    private(set) var state = State.probe
    /// While probing: one append is out. A heartbeat's reply allows another.
    var isProbeOut = false
    /// The shell was asked for entries from `next`.
    var isWaitingForDisk = false
    /// The leader's clock when it sent what was answered last; nil: nothing was.
    private(set) var ackedAt: UInt64?
    /// When the leader began to count this member.
    let since: UInt64
    private(set) var ackedRound: UInt64 = 0
    private var window = InflightWindow()
    /// `match` at the last heartbeat reply: if it stands still, something may be lost.
    private var matchAtHeartbeat: LogIndex?

    init(node: NodeID, isVoter: Bool, next: LogIndex, since: UInt64) {
        self.node = node
        self.isVoter = isVoter
        self.next = next
        self.since = since
    }

    mutating func acknowledge(_ stamp: RaftMessage.Stamp) {
        guard stamp.sentAt > 0 else { return }
        ackedAt = max(ackedAt ?? 0, stamp.sentAt)
        ackedRound = max(ackedRound, stamp.round)
    }

    func canSend(_ configuration: RaftConfiguration) -> Bool {
        if isWaitingForDisk { return false }
        switch state {
        case .probe: return !isProbeOut
        case .snapshot: return false
        case .replicate:
            return window.count < configuration.inflightAppendsMax
                && window.bytes < configuration.inflightBytesMax
        }
    }

    /// An append with entries up to `last` left.
    mutating func sent(through last: LogIndex, bytes: Int) {
        switch state {
        case .probe: isProbeOut = true
        case .snapshot: break
        case .replicate:
            guard last >= next else { return }
            next = last.next
            window.add(last: last, bytes: bytes)
        }
    }

    /// - Returns: whether `match` grew.
    mutating func matched(_ index: LogIndex) -> Bool {
        window.release(through: index)
        let isNews = index > match
        if isNews { match = index }
        if next <= match { next = match.next }
        return isNews
    }

    mutating func becomeReplicate() {
        guard state != .replicate else { return }
        change(to: .replicate)
        next = match.next
    }

    mutating func becomeProbe(next: LogIndex) {
        change(to: .probe)
        self.next = max(next, match.next)
    }

    mutating func becomeSnapshot() { change(to: .snapshot) }

    private mutating func change(to state: State) {
        self.state = state
        isProbeOut = false
        isWaitingForDisk = false
        window = InflightWindow()
    }

    /// A heartbeat was answered: the follower lives.
    ///
    /// - Returns: whether an append, even an empty one, should find out if something was lost.
    mutating func heartbeatAnswered(last: LogIndex) -> Bool {
        defer { matchAtHeartbeat = match }
        switch state {
        case .probe:
            isProbeOut = false
            return true
        case .replicate: return match < last && matchAtHeartbeat == match
        case .snapshot: return false
        }
    }
}

/// Appends on their way, oldest first.
struct InflightWindow: Hashable, Sendable {
    private struct Item: Hashable, Sendable {
        var last: LogIndex
        var bytes: Int
    }

    private var items: Deque<Item> = []
    private(set) var bytes = 0
    var count: Int { items.count }

    mutating func add(last: LogIndex, bytes: Int) {
        items.append(Item(last: last, bytes: bytes))
        self.bytes += bytes
    }

    mutating func release(through index: LogIndex) {
        while let item = items.first, item.last <= index {
            bytes -= item.bytes
            items.removeFirst()
        }
    }
}
