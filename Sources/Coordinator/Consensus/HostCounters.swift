import RaftLog
import Synchronization

/// Figures of the runner since its start, for metrics.
package struct RaftHostMetrics: Hashable, Sendable {
    /// The log's own counters.
    package var log = RaftLogMetrics()
    /// Of each sync of the log.
    package var syncLatency = LatencyCounts()
    /// From a proposal's arrival to its commit.
    package var proposeLatency = LatencyCounts()
    package var messagesDropped: UInt64 = 0
    package var messagesMalformed: UInt64 = 0
    package var requestsRefused: UInt64 = 0
    /// Questions answered under a lease without asking the loop.
    package var fencedReads: UInt64 = 0
}

final class HostCounters: Sendable {
    private let state = Mutex(RaftHostMetrics())
    private let fencedReads = Atomic<UInt64>(0)

    var value: RaftHostMetrics {
        var value = state.withLock { $0 }
        value.fencedReads = fencedReads.load(ordering: .relaxed)
        return value
    }

    func add(_ report: LogLane.Report) {
        state.withLock { state in
            state.log = report.metrics
            if let micros = report.syncMicroseconds { state.syncLatency.add(microseconds: micros) }
        }
    }

    func messageWasDropped() { state.withLock { $0.messagesDropped += 1 } }
    func messageWasMalformed() { state.withLock { $0.messagesMalformed += 1 } }
    func requestWasRefused() { state.withLock { $0.requestsRefused += 1 } }
    func readWasFenced() { fencedReads.wrappingAdd(1, ordering: .relaxed) }
}
