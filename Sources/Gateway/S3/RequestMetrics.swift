import Metrics
import Synchronization

/// Counts requests by operation and code, and how long they took.
///
/// swift-metrics looks a counter up by its labels each time one is made; so what was made is kept.
final class RequestMetrics: Sendable {
    private struct Key: Hashable {
        let operation: String
        let status: Int
        let code: String
    }

    private struct State {
        var counters: [Key: Counter] = [:]
        var timers: [String: Timer] = [:]
    }

    private let state = Mutex(State())
    private let factory: any MetricsFactory
    private let received: Counter
    private let sent: Counter
    private let inFlight: Gauge

    /// - Parameter factory: The node's, not the process's: several nodes may share a process.
    init(factory: any MetricsFactory = MetricsSystem.factory) {
        self.factory = factory
        received = Counter(label: "dst_s3_received_bytes", factory: factory)
        sent = Counter(label: "dst_s3_sent_bytes", factory: factory)
        inFlight = Gauge(label: "dst_s3_requests_in_flight", factory: factory)
    }

    /// Operations and codes are few and fixed, so the tables stay small.
    func record(
        operation: String, status: Int, code: String, nanoseconds: Int64, received: Int, sent: Int
    ) {
        let key = Key(operation: operation, status: status, code: code)
        let (counter, timer) = state.withLock { state in
            let counter = state.counters[key] ?? made(key)
            let timer =
                state.timers[operation]
                ?? Timer(
                    label: "dst_s3_request_duration_seconds",
                    dimensions: [("operation", operation)], factory: factory)
            state.counters[key] = counter
            state.timers[operation] = timer
            return (counter, timer)
        }
        counter.increment()
        timer.recordNanoseconds(nanoseconds)
        if received > 0 { self.received.increment(by: received) }
        if sent > 0 { self.sent.increment(by: sent) }
    }

    func set(inFlight count: Int) { inFlight.record(count) }

    private func made(_ key: Key) -> Counter {
        Counter(
            label: "dst_s3_requests",
            dimensions: [
                ("operation", key.operation), ("status", "\(key.status)"), ("code", key.code),
            ], factory: factory)
    }
}
