import Catalogue
import Core
import NIOCore
import Raft
import Synchronization

/// Told exactly once what came of a proposal or question; on any thread, must not block.
package typealias ConsensusCompletion = @Sendable (ConsensusOutcome) -> Void

/// A proposal or a question on its way.
struct HostRequest: Sendable {
    var range: RangeID
    var bytes: [UInt8]
    var deadline: NIODeadline
    var begun: NIODeadline
    var done: ConsensusCompletion
}

/// What happens to the loop.
enum HostEvent: Sendable {
    case propose(HostRequest)
    case query(HostRequest)
    case messages([RangeMessage])
    case log(LogLane.Report)
    case applied(RangeID, ApplyLane.Report)
    case snapshotReceived(ReceivedSnapshot)
    case snapshotSent(RangeID, to: NodeID, mark: SnapshotMark?, isDelivered: Bool)
    /// Runs on the loop; if the host ends before, the request is told instead.
    case control(HostRequest, @Sendable (HostLoop) -> Void)
    /// The process must stop.
    case failed(String)
}

/// A snapshot whose bytes are all here.
struct ReceivedSnapshot: Hashable, Sendable {
    var range: RangeID
    var from: NodeID
    var term: Term
    var mark: SnapshotMark
    var path: String
}

/// Where events wait for the loop. Whoever puts in the first wakes it; one wake-up drains all.
final class HostInbox: Sendable {
    private struct State {
        var events: [HostEvent] = []
        var requestCount = 0
        var messageBytes = 0
        var isClosed = false
    }

    private let state = Mutex(State())
    private let wakeUp: @Sendable () -> Void

    init(wakeUp: @escaping @Sendable () -> Void) { self.wakeUp = wakeUp }

    /// - Returns: Why nothing was queued, as the caller is to be told; `nil` when it was.
    func offer(request event: HostEvent) -> ConsensusOutcome? {
        var isFirst = false
        let refusal = state.withLock { state -> ConsensusOutcome? in
            // Who leads after this node is for the others to know.
            if state.isClosed { return .notLeader(nil) }
            guard state.requestCount < RaftHostLimits.requestsQueuedMax else { return .overloaded }
            state.requestCount += 1
            state.events.append(event)
            isFirst = state.events.count == 1
            return nil
        }
        if isFirst { wakeUp() }
        return refusal
    }

    /// Drops the messages when too many wait, as the network might.
    func offer(_ messages: [RangeMessage], bytes: Int) -> Bool {
        let outcome = state.withLock { state -> (isTaken: Bool, isFirst: Bool) in
            let isFull = state.messageBytes + bytes > RaftHostLimits.messageBytesQueuedMax
            guard !state.isClosed, !isFull else { return (false, false) }
            state.messageBytes += bytes
            state.events.append(.messages(messages))
            return (true, state.events.count == 1)
        }
        if outcome.isFirst { wakeUp() }
        return outcome.isTaken
    }

    /// Answers to what the loop itself asked for, and rare control: bounded by what was asked.
    func post(_ event: HostEvent) {
        let isFirst = state.withLock { state -> Bool in
            guard !state.isClosed else { return false }
            state.events.append(event)
            return state.events.count == 1
        }
        if isFirst { wakeUp() }
    }

    func take() -> [HostEvent] {
        state.withLock { state in
            var events: [HostEvent] = []
            swap(&events, &state.events)
            state.requestCount = 0
            state.messageBytes = 0
            return events
        }
    }

    /// Refuses everything from now on.
    ///
    /// - Returns: what waited.
    func close() -> [HostEvent] {
        state.withLock { $0.isClosed = true }
        return take()
    }
}
