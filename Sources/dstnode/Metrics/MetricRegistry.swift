import CoreMetrics
import Synchronization

/// All series of one node, written as Prometheus reads them. One per node: those that are embedded
/// in a dev cluster count for themselves.
final class MetricRegistry: MetricsFactory {
    /// Series at once; more are counted by nobody, so that a label that varies without bound costs
    /// figures and not memory.
    static let seriesMax = 10_000

    private struct Key: Hashable {
        let name: String
        let labels: String
    }

    /// A value that somebody else keeps, read when the text is written.
    struct Sample: Sendable {
        var label: String
        var dimensions: [(String, String)]
        var value: Double
        var isCounter: Bool

        init(
            _ label: String, _ dimensions: [(String, String)], _ value: some BinaryInteger,
            isCounter: Bool = false
        ) {
            self.label = label
            self.dimensions = dimensions
            self.value = Double(value)
            self.isCounter = isCounter
        }
    }

    typealias Provider = @Sendable () -> [Sample]

    /// Every series has them.
    private let common: [(String, String)]
    private let series = Mutex<[Key: any MetricSeries]>([:])
    private let providers = Mutex<[Provider]>([])

    /// - Parameter node: `NODE_ID`; the label `node` of every series.
    init(node: String) { common = [("node", node)] }

    /// Asks `provider` whenever the text is written; for as long as the node lives.
    func add(_ provider: @escaping Provider) { providers.withLock { $0.append(provider) } }

    /// The text format, sorted.
    var text: String {
        var all = series.withLock { Array($0) }.map { ($0.key, $0.value) }
        for sample in providers.withLock({ $0 }).flatMap({ $0() }) {
            let name = MetricName.name(sample.label)
            let key = Key(
                name: sample.isCounter ? name + "_total" : name,
                labels: MetricName.labels(common + sample.dimensions))
            all.append((key, SampleSeries(sample)))
        }
        all.sort { ($0.0.name, $0.0.labels) < ($1.0.name, $1.0.labels) }
        var text = ""
        var lastName = ""
        for (key, series) in all {
            if key.name != lastName { text += "# TYPE \(key.name) \(series.kind)\n" }
            lastName = key.name
            series.write(name: key.name, labels: key.labels, to: &text)
        }
        return text
    }

    private final class SampleSeries: MetricSeries {
        let kind: String
        private let value: Double

        init(_ sample: Sample) {
            kind = sample.isCounter ? "counter" : "gauge"
            value = sample.value
        }

        func write(name: String, labels: String, to text: inout String) {
            text += "\(name)\(labels) \(value)\n"
        }
    }

    private func find<Series: MetricSeries>(
        _ label: String, suffix: String = "", _ dimensions: [(String, String)],
        make: () -> Series
    ) -> Series {
        let name = MetricName.name(label)
        let key = Key(
            name: name.hasSuffix(suffix) ? name : name + suffix,
            labels: MetricName.labels(common + dimensions))
        return series.withLock { all in
            if let known = all[key] as? Series { return known }
            let new = make()
            // Of another kind under the same name, or too many: it counts for itself alone.
            if all[key] == nil, all.count < Self.seriesMax { all[key] = new }
            return new
        }
    }

    // MARK: MetricsFactory

    func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        find(label, suffix: "_total", dimensions) { CounterSeries() }
    }

    func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        find(label, dimensions) { GaugeSeries() }
    }

    func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        aggregate
            ? find(label, dimensions) { HistogramSeries(bounds: HistogramSeries.sizeBounds) }
            : find(label, dimensions) { GaugeSeries() }
    }

    func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        find(label, suffix: "_seconds", dimensions) {
            HistogramSeries(bounds: HistogramSeries.secondsBounds)
        }
    }

    func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    func destroyTimer(_ handler: any TimerHandler) { remove(handler) }

    private func remove(_ handler: AnyObject) {
        series.withLock { all in
            if let key = all.first(where: { $0.value === handler })?.key { all[key] = nil }
        }
    }
}
