import Core
import NIOCore
import Raft
import RaftLog
import Synchronization

/// The log and its thread: takes what all groups asked for since it last looked, appends it, syncs
/// once, and reports. The loop goes on meanwhile.
final class LogLane: Sendable {
    enum Request: Sendable {
        /// Answered by an ``Acknowledgement`` once it and everything before it is durable.
        case write(GroupWrite, Acknowledgement)
        case truncate(RangeID, SnapshotMark)
        /// Answered in `resets`, once durable.
        case reset(RangeID, SnapshotMark)
        case read(RangeID, RaftReady.EntriesWanted)
    }

    struct Acknowledgement: Hashable, Sendable {
        var range: RangeID
        var write: UInt64
        /// May leave once the write is durable.
        var messages: [RaftMessage]
    }

    struct Supply: Hashable, Sendable {
        var range: RangeID
        var wanted: RaftReady.EntriesWanted
        var previousTerm: Term
        var entries: [RaftEntry]
    }

    struct Report: Sendable {
        var acknowledgements: [Acknowledgement] = []
        var resets: [RangeID] = []
        var supplies: [Supply] = []
        var pin: RaftLog.Pin?
        var metrics = RaftLogMetrics()
        var syncMicroseconds: UInt64?
        /// The disk is full: what was asked for waits for ``retry()``.
        var isFull = false
    }

    private struct State {
        var waiting: [Request] = []
        var isScheduled = false
        var isEnded = false
    }

    private let log: RaftLog
    private let thread: DiskThread
    private let inbox: HostInbox
    private let state = Mutex(State())

    init(_ log: RaftLog, inbox: HostInbox) {
        self.log = log
        self.inbox = inbox
        self.thread = DiskThread(name: "raft-log", jobCountMax: 16)
    }

    func submit(_ requests: [Request]) {
        let isFirst = state.withLock { state -> Bool in
            state.waiting.append(contentsOf: requests)
            return Self.schedule(&state)
        }
        if isFirst { offer() }
    }

    /// After a full disk.
    func retry() { submit([]) }

    /// What waits is not written any more. Returns when the thread has ended.
    func end() async {
        state.withLock { state in
            state.isEnded = true
            state.waiting = []
        }
        try? await thread.run {}
        thread.stop()
    }

    private static func schedule(_ state: inout State) -> Bool {
        guard !state.isScheduled, !state.isEnded else { return false }
        state.isScheduled = true
        return true
    }

    private func offer() {
        guard thread.offer({ self.run() }) else {
            state.withLock { $0.isScheduled = false }
            return
        }
    }

    // MARK: On the thread

    private func run() {
        while true {
            let requests = state.withLock { state -> [Request] in
                let requests = state.isEnded ? [] : state.waiting
                state.waiting = []
                if requests.isEmpty { state.isScheduled = false }
                return requests
            }
            if requests.isEmpty { return }
            var report = Report()
            do {
                try perform(requests, &report)
            } catch {
                guard error == .full else {
                    inbox.post(.failed("the Raft log failed: \(error)"))
                    return
                }
                state.withLock { state in
                    state.waiting.insert(contentsOf: requests, at: 0)
                    state.isScheduled = false
                }
                report = Report()
                report.isFull = true
                finish(report)
                return
            }
            finish(report)
        }
    }

    private func finish(_ report: Report) {
        var report = report
        report.pin = log.pin
        report.metrics = log.metrics
        inbox.post(.log(report))
    }

    /// Truncations go first: they make room, and what they name was durable before.
    private func perform(_ requests: [Request], _ report: inout Report) throws(RaftLogError) {
        for case .truncate(let range, let mark) in requests { try log.truncate(range, to: mark) }
        var writes: [GroupWrite] = []
        for request in requests {
            switch request {
            case .write(let write, let acknowledgement):
                writes.append(write)
                report.acknowledgements.append(acknowledgement)
            case .reset(let range, let mark):
                try log.append(writes)
                writes = []
                try log.reset(range, to: mark)
                report.resets.append(range)
            case .truncate, .read: break
            }
        }
        try log.append(writes)
        let begun = NIODeadline.now()
        if writes.isEmpty || !Mutation.isOn(.ackBeforeLogSync) { try log.sync() }
        report.syncMicroseconds = UInt64((NIODeadline.now() - begun).nanoseconds / 1_000)
        for case .read(let range, let wanted) in requests {
            report.supplies.append(supply(range, wanted))
        }
    }

    private func supply(_ range: RangeID, _ wanted: RaftReady.EntriesWanted) -> Supply {
        // Truncated or unreadable: the follower gets a snapshot.
        let entries = try? log.entries(range, from: wanted.from, bytesMax: wanted.bytesMax)
        let previous = log.term(range, at: wanted.from.previous)
        return Supply(
            range: range, wanted: wanted, previousTerm: previous ?? .zero,
            entries: previous == nil ? [] : entries ?? [])
    }
}
