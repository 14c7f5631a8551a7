import CoreMetrics
import Synchronization

/// One series: what a handler counts and how it is written. Any thread.
protocol MetricSeries: AnyObject, Sendable {
    /// `counter`, `gauge` or `histogram`.
    var kind: String { get }
    func write(name: String, labels: String, to text: inout String)
}

/// A number that only grows.
final class CounterSeries: MetricSeries, CounterHandler {
    let kind = "counter"
    private let count = Atomic<Int64>(0)

    func increment(by amount: Int64) { count.wrappingAdd(amount, ordering: .relaxed) }
    func reset() { count.store(0, ordering: .relaxed) }

    func write(name: String, labels: String, to text: inout String) {
        text += "\(name)\(labels) \(count.load(ordering: .relaxed))\n"
    }
}

/// A number that goes up and down.
final class GaugeSeries: MetricSeries, MeterHandler, RecorderHandler {
    let kind = "gauge"
    private let value = Mutex(0.0)

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }

    func write(name: String, labels: String, to text: inout String) {
        text += "\(name)\(labels) \(value.withLock { $0 })\n"
    }
}

/// Counts by size, in buckets whose bounds grow by a factor.
final class HistogramSeries: MetricSeries, RecorderHandler, TimerHandler {
    /// Seconds: half a millisecond to a minute.
    static let secondsBounds = [
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
    ]
    /// Counts and bytes: 1 to 2^30.
    static let sizeBounds = (0...15).map { Double(1 << ($0 * 2)) }

    let kind = "histogram"
    private struct State {
        var counts: [UInt64]
        var sum = 0.0
    }
    private let bounds: [Double]
    private let state: Mutex<State>

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(counts: [UInt64](repeating: 0, count: bounds.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[index] += 1
            state.sum += value
        }
    }

    func write(name: String, labels: String, to text: inout String) {
        let (counts, sum) = state.withLock { ($0.counts, $0.sum) }
        var total: UInt64 = 0
        for (index, count) in counts.enumerated() {
            total += count
            let bound = index < bounds.count ? "\(bounds[index])" : "+Inf"
            text += "\(name)_bucket\(MetricName.adding("le", bound, to: labels)) \(total)\n"
        }
        text += "\(name)_sum\(labels) \(sum)\n\(name)_count\(labels) \(total)\n"
    }
}
