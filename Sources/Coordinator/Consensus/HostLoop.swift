import Core
import Logging
import Messages
import NIOCore
import Raft
import RaftLog

/// All Raft groups of one coordinator, confined to one event loop.
///
/// ```
///  any thread ──▶ inbox ──▶ drain: every group takes in, then turns
///                             │ one batch of log requests ──▶ log thread: append all, sync once
///                             │ one batch of messages a peer ──▶ transport
///                             │ committed entries ──▶ the group's apply thread ──▶ answers
///                             └ questions ──▶ reader threads ──▶ answers
/// ```
final class HostLoop {
    let me: NodeID
    private let eventLoop: any EventLoop
    private let inbox: HostInbox
    private let log: LogLane
    private let readers: ReaderPool
    private let transport: any RaftTransport
    private let clocks: any Clocks
    private let observer: any ConsensusObserver
    private let logger: Logger
    private let snapshots: AsyncStream<SnapshotJob>.Continuation
    private let fail: @Sendable (RaftHostError) -> Void
    private let counters: HostCounters
    private(set) var groups: [GroupRunner]
    private var groupSlots: [RangeID: Int] = [:]

    private var ticks: RepeatedTask?
    private var tickCount: UInt64 = 0
    private let tickMilliseconds: UInt64
    private let maintenanceTicks: UInt64
    private let isBalancing: Bool
    private var lastTick: MonotonicTime
    private var isEnded = false
    private var pin: RangeID?
    private var fullSince: MonotonicTime?

    struct Surroundings {
        var eventLoop: any EventLoop
        var inbox: HostInbox
        var log: LogLane
        var readers: ReaderPool
        var transport: any RaftTransport
        var clocks: any Clocks
        var observer: any ConsensusObserver
        var logger: Logger
        var snapshots: AsyncStream<SnapshotJob>.Continuation
        var counters: HostCounters
        var fail: @Sendable (RaftHostError) -> Void
    }

    init(
        me: NodeID, groups: [GroupRunner], tickMilliseconds: UInt64,
        maintenanceMilliseconds: UInt64, isBalancing: Bool, in around: Surroundings
    ) {
        self.me = me
        self.isBalancing = isBalancing
        self.maintenanceTicks = max(1, maintenanceMilliseconds / tickMilliseconds)
        self.groups = groups
        self.tickMilliseconds = tickMilliseconds
        eventLoop = around.eventLoop
        inbox = around.inbox
        log = around.log
        readers = around.readers
        transport = around.transport
        clocks = around.clocks
        observer = around.observer
        logger = around.logger
        snapshots = around.snapshots
        counters = around.counters
        fail = around.fail
        lastTick = around.clocks.monotonic
        for (slot, group) in groups.enumerated() { groupSlots[group.range] = slot }
    }

    func group(_ range: RangeID) -> GroupRunner? { groupSlots[range].map { groups[$0] } }

    // MARK: Life

    func start(_ box: NIOLoopBoundBox<HostLoop?>) {
        eventLoop.preconditionInEventLoop()
        let pause = TimeAmount.milliseconds(Int64(tickMilliseconds))
        ticks = eventLoop.scheduleRepeatedTask(initialDelay: pause, delay: pause) { _ in
            box.value?.tick()
        }
        drain()
    }

    /// Answers everybody and does nothing any more.
    func end() {
        eventLoop.preconditionInEventLoop()
        guard !isEnded else { return }
        isEnded = true
        ticks?.cancel()
        var effects = HostEffects()
        for event in inbox.close() {
            switch event {
            case .propose(let request), .query(let request), .control(let request, _):
                effects.answer(request, .notLeader(nil))
            default: break
            }
        }
        for group in groups { group.failAll(&effects) }
        for answer in effects.answers { answer.done(answer.outcome) }
        snapshots.finish()
    }

    private func tick() {
        guard !isEnded else { return }
        let now = clocks.monotonic
        var effects = HostEffects()
        tickGroups(now: now)
        tickCount += 1
        let deadline = eventLoop.now
        for group in groups { group.expire(now: deadline, &effects) }
        if tickCount % maintenanceTicks == 0 { maintain(now: now) }
        if let since = fullSince { waitForRoom(since: since, now: now) }
        turn(now: now, &effects)
    }

    private func tickGroups(now: MonotonicTime) {
        lastTick = now
        for group in groups {
            group.node.tick(now: now)
            group.isDirty = true
        }
    }

    /// About every second.
    private func maintain(now: MonotonicTime) {
        for group in groups {
            group.checkpointIfDue(isPinning: pin == group.range, now: now)
            if isBalancing, let node = group.balanceIfDue(now: now) {
                logger.info(
                    "handing a group over for balance",
                    metadata: ["group": "\(group.range)", "to": "\(node)"])
            }
        }
    }

    // MARK: Events

    /// Takes in all that waits, then lets every concerned group turn once.
    func drain() {
        eventLoop.preconditionInEventLoop()
        let events = inbox.take()
        guard !isEnded else { return }
        let now = clocks.monotonic
        // After a long pause (a suspended machine) time comes first, or old messages would be
        // judged by old time.
        if now.milliseconds >= lastTick.milliseconds + tickMilliseconds * 4 {
            tickGroups(now: now)
        }
        var effects = HostEffects()
        for event in events {
            receive(event, now: now, &effects)
            if isEnded { return }
        }
        turn(now: now, &effects)
    }

    private func receive(_ event: HostEvent, now: MonotonicTime, _ effects: inout HostEffects) {
        switch event {
        case .propose(let request):
            guard let group = group(request.range) else {
                return effects.answer(request, .noSuchRange)
            }
            guard request.deadline > eventLoop.now else {
                return effects.answer(request, .overloaded)
            }
            group.proposals.append(request)
            group.isDirty = true
        case .query(let request):
            guard let group = group(request.range) else {
                return effects.answer(request, .noSuchRange)
            }
            group.queries.append(request)
            group.isDirty = true
        case .messages(let messages):
            for message in messages {
                guard let group = group(message.range) else { continue }
                group.node.step(message.message, now: now)
                group.isDirty = true
                if let index = group.node.forgotten {
                    let last = group.node.lastPosition.index
                    let what = "ends at \(last), and this node has acknowledged \(index)"
                    return stop(.forgotten(group.range, what))
                }
            }
        case .log(let report): receive(report, now: now, &effects)
        case .applied(let range, let report):
            group(range)?.receive(report, isPinning: pin == range, now: now, &effects)
        case .snapshotReceived(let snapshot):
            group(snapshot.range)?.receive(snapshot, now: now)
        case .snapshotSent(let range, let node, let mark, let isDelivered):
            group(range)?.snapshotSent(to: node, mark: mark, isDelivered: isDelivered, now: now)
        case .control(_, let body): body(self)
        case .failed(let reason): stop(.stopped(reason))
        }
    }

    private func receive(
        _ report: LogLane.Report, now: MonotonicTime, _ effects: inout HostEffects
    ) {
        if report.isFull {
            if fullSince == nil {
                fullSince = now
                logger.error("the disk of the Raft log is full")
            }
        } else {
            fullSince = nil
        }
        // Segments are few; a group pins only when there are more than usual.
        let isPinning = report.isFull || report.metrics.segmentCount > 3
        pin = isPinning ? report.pin?.range : nil
        counters.add(report)
        for acknowledgement in report.acknowledgements {
            group(acknowledgement.range)?.persisted(acknowledgement, now: now, &effects)
        }
        for range in report.resets { group(range)?.logWasReset(now: now) }
        for supply in report.supplies { group(supply.range)?.supply(supply, now: now) }
    }

    /// The log waits for room: what is durable elsewhere goes, and it tries again.
    private func waitForRoom(since: MonotonicTime, now: MonotonicTime) {
        guard now.milliseconds < since.milliseconds + RaftHostLimits.fullDiskMilliseconds else {
            return stop(.stopped("the disk of the Raft log is full"))
        }
        let every = max(1, RaftHostLimits.fullDiskRetryMilliseconds / tickMilliseconds)
        guard tickCount % every == 0 else { return }
        for group in groups { group.checkpointIfDue(isPinning: true, now: now) }
        log.retry()
    }

    private func stop(_ error: RaftHostError) {
        logger.critical("the Raft groups stop", metadata: ["reason": "\(error)"])
        end()
        fail(error)
    }

    /// Changes a group's membership; the request is answered when that is applied.
    func change(_ change: MembershipChange, _ request: HostRequest) {
        guard let group = group(request.range) else { return request.done(.noSuchRange) }
        group.change(change, request, now: clocks.monotonic)
    }

    // MARK: A turn

    private func turn(now: MonotonicTime, _ effects: inout HostEffects) {
        for group in groups where group.isDirty { group.turn(now: now, &effects) }
        perform(effects)
    }

    /// Fences are set by now, so messages that let others lead may leave.
    private func perform(_ effects: HostEffects) {
        if !effects.log.isEmpty { log.submit(effects.log) }
        for (node, messages) in effects.messages { send(messages, to: node) }
        for read in effects.reads {
            readers.answer(
                read.request.bytes, from: read.handle.store, deadline: read.request.deadline,
                done: read.request.done)
        }
        for answer in effects.answers { answer.done(answer.outcome) }
        for change in effects.leaderships {
            logger.info(
                change.isLeader ? "leading a group" : "no longer leading a group",
                metadata: ["group": "\(change.range)", "term": "\(change.term)"])
            observer.leadershipChanged(
                change.range, isLeader: change.isLeader, term: change.term)
        }
        for job in effects.snapshots {
            if case .enqueued = snapshots.yield(job) { continue }
            inbox.post(
                .snapshotSent(job.range, to: job.node, mark: nil, isDelivered: false))
        }
        for path in effects.uselessFiles { SnapshotFile.remove(path) }
    }

    /// In batches of bounded size.
    private func send(_ messages: [RangeMessage], to node: NodeID) {
        var start = 0
        var bytes = 0
        for (index, message) in messages.enumerated() {
            let size = message.message.byteCount
            if index > start && bytes + size > RaftHostLimits.batchBytesTarget {
                transport.send(RaftCodec.encode(Array(messages[start..<index])), to: node)
                (start, bytes) = (index, 0)
            }
            bytes += size
        }
        let rest = start == 0 ? messages : Array(messages[start...])
        transport.send(RaftCodec.encode(rest), to: node)
    }
}

extension RaftMessage {
    /// About what it takes on the wire.
    fileprivate var byteCount: Int {
        if case .append(let append) = kind {
            append.entries.reduce(64) { $0 + $1.byteCount }
        } else {
            64
        }
    }
}
