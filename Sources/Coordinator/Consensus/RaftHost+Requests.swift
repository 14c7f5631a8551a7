import Core
import NIOCore
import Raft

/// Proposals, questions, membership: what the rest of the coordinator asks.
extension RaftHost: Consensus {
    package var now: NIODeadline { eventLoop.now }

    /// Proposes `command` and tells `done` what came of it, once it is applied here.
    package func propose(
        _ range: RangeID, _ command: [UInt8], deadline: NIODeadline,
        done: @escaping ConsensusCompletion
    ) {
        guard handles[range] != nil else { return done(.noSuchRange) }
        // Beyond any limit of the catalogue: whoever made it is broken.
        guard command.count <= RaftLimits.commandBytesMax else { return done(.overloaded) }
        let request = HostRequest(
            range: range, bytes: command, deadline: deadline, begun: now, done: done)
        if let refusal = inbox.offer(request: .propose(request)) {
            counters.requestWasRefused()
            done(refusal)
        }
    }

    /// Answers `query` linearizably, as leader, and tells `done`.
    package func query(
        _ range: RangeID, _ query: [UInt8], deadline: NIODeadline,
        done: @escaping ConsensusCompletion
    ) {
        guard let handle = handles[range] else { return done(.noSuchRange) }
        if handle.fence.isOpen({ clocks.monotonic }) || Mutation.isOn(.answerFromFollower) {
            counters.readWasFenced()
            return readers.answer(query, from: handle.store, deadline: deadline, done: done)
        }
        let request = HostRequest(
            range: range, bytes: query, deadline: deadline, begun: now, done: done)
        if let refusal = inbox.offer(request: .query(request)) {
            counters.requestWasRefused()
            done(refusal)
        }
    }

    package func propose(
        _ range: RangeID, _ command: [UInt8], deadline: NIODeadline
    ) async -> ConsensusOutcome {
        await withCheckedContinuation { continuation in
            propose(range, command, deadline: deadline) { continuation.resume(returning: $0) }
        }
    }

    package func query(
        _ range: RangeID, _ query: [UInt8], deadline: NIODeadline
    ) async -> ConsensusOutcome {
        await withCheckedContinuation { continuation in
            self.query(range, query, deadline: deadline) { continuation.resume(returning: $0) }
        }
    }

    package func localAnswer(_ range: RangeID, _ query: [UInt8]) async throws -> [UInt8] {
        guard let handle = handles[range] else { throw RaftHostError.stopped("no \(range) here") }
        let outcome = await withCheckedContinuation { continuation in
            readers.answer(query, from: handle.store, deadline: .distantFuture) {
                continuation.resume(returning: $0)
            }
        }
        guard case .done(let answer) = outcome else {
            throw RaftHostError.stopped("\(range) gave no answer")
        }
        return answer
    }

    /// Position and membership of one group.
    package func state(of range: RangeID) async -> ConsensusState? {
        let clocks = clocks
        return await onLoop(or: nil) {
            $0.group(range)?.consensusState(now: clocks.monotonic)
        }
    }

    package func change(
        _ range: RangeID, _ step: VoterPlan.Step, deadline: NIODeadline
    ) async -> Bool {
        let change: MembershipChange
        switch step {
        case .none: return true
        case .addLearner(let node): change = .addLearner(node)
        case .promote(let node): change = .promote(node)
        case .remove(let node): change = .remove(node)
        }
        let outcome = await withCheckedContinuation { continuation in
            let request = HostRequest(
                range: range, bytes: [], deadline: deadline, begun: now,
                done: { continuation.resume(returning: $0) })
            let refusal = inbox.offer(
                request: .control(request, { $0.change(change, request) }))
            if let refusal { request.done(refusal) }
        }
        if case .done = outcome { return true }
        return false
    }

    package func transferLeadership(_ range: RangeID, to node: NodeID) async {
        let time = clocks.monotonic
        _ = await onLoop(or: false) { $0.group(range)?.transfer(to: node, now: time) ?? false }
    }

    /// Hands all groups over and waits, not for long, until others lead them.
    package func handOver() async {
        let end = clocks.monotonic.milliseconds + RaftHostLimits.handOverMilliseconds
        let time = clocks.monotonic
        let isAny = await onLoop(or: false) { loop in
            loop.groups.reduce(false) { $1.beginHandOver(now: time) || $0 }
        }
        guard isAny else { return }
        while clocks.monotonic.milliseconds < end, ranges.contains(where: isLeader) {
            // Cancelled: nobody waits any more, and to look again at once would never end.
            guard (try? await clocks.sleep(for: .milliseconds(10))) != nil else { return }
        }
    }

    /// Runs `body` on the loop; answers `fallback` once the host has ended.
    private func onLoop<Value: Sendable>(
        or fallback: Value, _ body: @escaping @Sendable (HostLoop) -> Value
    ) async -> Value {
        await withCheckedContinuation { continuation in
            let request = HostRequest(
                range: .system, bytes: [], deadline: .distantFuture, begun: now,
                done: { _ in continuation.resume(returning: fallback) })
            let refusal = inbox.offer(
                request: .control(request, { continuation.resume(returning: body($0)) }))
            if refusal != nil { continuation.resume(returning: fallback) }
        }
    }
}
