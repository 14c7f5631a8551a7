import Core
import NIOCore
import Synchronization

/// One chunk on its way to all its replicas at once: the shell around ``WriteQuorum``. No task a
/// replica: the streams call back, and the one writer waits on one continuation.
final class ChunkFanOut: Sendable {
    enum Decision: Hashable, Sendable {
        case committed(missing: [NodeID])
        case lost(String)
    }

    private struct Replica {
        let node: NodeID
        var stream: (any ChunkWriteStream)?
        var hasAnswered = false
        /// Since when its queue is full.
        var blockedSince: UInt64?
    }

    private struct State {
        var quorum: WriteQuorum
        var replicas: [Replica]
        var decision: Decision?
        var failures: [String] = []
        var graceEnds: UInt64?
        var answerBy: UInt64?
        var isCancelled = false
        var awaitsDecision = false
        var waiter: CheckedContinuation<Void, Never>?

        var isBlocked: Bool { replicas.contains { $0.blockedSince != nil && !$0.hasAnswered } }

        /// Takes the waiter out, if what it waits for is there.
        mutating func ready() -> CheckedContinuation<Void, Never>? {
            guard isReady else { return nil }
            defer { waiter = nil }
            return waiter
        }
        var isReady: Bool { decision != nil || isCancelled || (!awaitsDecision && !isBlocked) }
    }

    /// What is to be done outside of the lock.
    private struct Effects {
        var waiter: CheckedContinuation<Void, Never>?
        var cancelled: [any ChunkWriteStream] = []
    }

    private let state: Mutex<State>
    private let ackedCountMin: Int
    private let clocks: any Clocks
    private let avoided: AvoidedNodes

    init(choice: PartitionChoice, clocks: any Clocks, avoided: AvoidedNodes) {
        self.clocks = clocks
        self.avoided = avoided
        ackedCountMin = choice.ackedCountMin
        state = Mutex(
            State(
                quorum: WriteQuorum(
                    replicas: choice.replicas, absent: choice.absent,
                    ackedCountMin: choice.ackedCountMin),
                replicas: choice.nodes.map { Replica(node: $0) }))
    }

    /// Opens the streams. Once, before ``send(_:end:)``.
    func start(_ request: ChunkWriteRequest, door: any ChunkDoor) {
        let nodes = state.withLock { $0.replicas.map(\.node) }
        for (index, node) in nodes.enumerated() {
            let stream = door.write(request, to: node) { [self] reply in answered(index, reply) }
            state.withLock { $0.replicas[index].stream = stream }
        }
    }

    /// Sends to all replicas that still take part, and waits until each has room for more.
    ///
    /// - Returns: `.lost` as soon as that is known, else `nil`.
    /// - Throws: `CancellationError`.
    func send(_ bytes: ByteBuffer, end: Bool) async throws -> Decision? {
        let now = clocks.monotonic.milliseconds
        let live: [(Int, any ChunkWriteStream)] = state.withLock { state in
            if end { state.answerBy = now + ObjectStoreLimits.writeAnswer }
            guard state.decision == nil else { return [] }
            return state.replicas.enumerated().compactMap { index, replica in
                replica.hasAnswered ? nil : replica.stream.map { (index, $0) }
            }
        }
        for (index, stream) in live where !stream.enqueue(bytes, end: end) && !end {
            state.withLock { $0.replicas[index].blockedSince = now }
            stream.onWritable { [self] in writable(index) }
        }
        if end { return state.withLock { $0.decision } }
        return try await wait(forDecision: false)
    }

    /// Waits for the end, after the last piece was sent.
    ///
    /// - Throws: `CancellationError`.
    func decision() async throws -> Decision {
        guard let decision = try await wait(forDecision: true) else { throw CancellationError() }
        return decision
    }

    /// Gives up on all copies.
    func cancel() {
        perform(
            state.withLock { state in
                state.isCancelled = true
                return Effects(
                    waiter: state.ready(), cancelled: state.replicas.compactMap(\.stream))
            })
    }

    private func wait(forDecision: Bool) async throws -> Decision? {
        let early = state.withLock { state -> Decision?? in
            state.awaitsDecision = forDecision
            return state.isReady && !state.isCancelled ? .some(state.decision) : .none
        }
        if let early { return early }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    precondition(state.waiter == nil, "one writer")
                    if state.isReady { return true }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            cancel()
        }
        let (decision, isCancelled) = state.withLock { ($0.decision, $0.isCancelled) }
        if isCancelled && decision == nil { throw CancellationError() }
        return decision
    }

    // MARK: Events

    private func answered(_ index: Int, _ reply: ChunkWriteReply) {
        let now = clocks.monotonic
        // A copy that was given up is no loss, and no fault of its node.
        let (node, isCancelled) = state.withLock { ($0.replicas[index].node, $0.isCancelled) }
        if isCancelled { return }
        switch reply {
        case .lost, .refused(.full), .refused(.stopping), .refused(.diskFailed):
            avoided.note(node, now: now)
        case .acked, .refused: break
        }
        perform(
            state.withLock { state in
                guard !state.replicas[index].hasAnswered, !state.isCancelled else {
                    return Effects()
                }
                state.replicas[index].hasAnswered = true
                switch reply {
                case .acked: return handle(.acked(node), &state, now)
                case .refused where Mutation.isOn(.refusalCountsAsCopy):
                    return handle(.acked(node), &state, now)
                case .refused(let status):
                    return fail(index, "refused: \(status)", &state, now)
                case .lost(let why): return fail(index, why, &state, now)
                }
            })
    }

    private func writable(_ index: Int) {
        perform(
            state.withLock { state in
                state.replicas[index].blockedSince = nil
                return Effects(waiter: state.ready())
            })
    }

    /// Looks at the clock: called by ``WriteWatch`` every now and then.
    func tick(now: MonotonicTime) {
        perform(state.withLock { tick(&$0, now) })
    }

    private func tick(_ state: inout State, _ now: MonotonicTime) -> Effects {
        guard state.decision == nil, !state.isCancelled else { return Effects() }
        let time = now.milliseconds
        if let graceEnds = state.graceEnds, graceEnds <= time {
            return handle(.gracePassed, &state, now)
        }
        let pending = state.replicas.indices.filter { !state.replicas[$0].hasAnswered }
        var overdue: [Int] = []
        if let answerBy = state.answerBy {
            if answerBy <= time { overdue = pending }
        } else {
            let stalled = pending.filter { index in
                guard let since = state.replicas[index].blockedSince else { return false }
                return since + ObjectStoreLimits.writeStall <= time
            }
            // A few slow ones are left behind; if all are slow, it is not their fault alone.
            let isWorthIt = pending.count - stalled.count >= ackedCountMin
            overdue = stalled.filter { index in
                guard let since = state.replicas[index].blockedSince else { return false }
                return isWorthIt || since + ObjectStoreLimits.writeStallAll <= time
            }
        }
        var effects = Effects()
        for index in overdue {
            state.replicas[index].hasAnswered = true
            avoided.note(state.replicas[index].node, now: now)
            if let stream = state.replicas[index].stream { effects.cancelled.append(stream) }
            let more = fail(index, "does not answer", &state, now)
            effects.waiter = effects.waiter ?? more.waiter
            effects.cancelled += more.cancelled
        }
        return effects
    }

    private func fail(
        _ index: Int, _ why: String, _ state: inout State, _ now: MonotonicTime
    ) -> Effects {
        state.failures.append("\(state.replicas[index].node): \(why)")
        return handle(.failed(state.replicas[index].node), &state, now)
    }

    private func handle(
        _ event: WriteQuorum.Event, _ state: inout State, _ now: MonotonicTime
    ) -> Effects {
        var effects = Effects()
        switch state.quorum.handle(event) {
        case .none: break
        case .startGrace: state.graceEnds = now.milliseconds + ObjectStoreLimits.writeGrace
        case .commit(let missing):
            // A straggler that has all its bytes may still finish: one repair less.
            effects.cancelled = state.replicas.filter { $0.blockedSince != nil }
                .compactMap(\.stream)
            state.decision = .committed(missing: missing)
        case .lost:
            effects.cancelled = state.replicas.compactMap(\.stream)
            state.decision = .lost(state.failures.joined(separator: "; "))
        }
        effects.waiter = state.ready()
        return effects
    }

    private func perform(_ effects: Effects) {
        effects.waiter?.resume()
        for stream in effects.cancelled { stream.cancel() }
    }
}
