import Core
import Histogram

/// What one phase measured; a line of the table, an element of the JSON.
struct BenchResult: Codable, Sendable {
    struct Latency: Codable, Sendable {
        var p50: Double
        var p90: Double
        var p99: Double
        var p999: Double
        var max: Double
    }

    var operation: BenchOperation
    var objectBytes: Int
    var connections: Int
    var seconds: Double
    var operations: Int
    var operationsPerSecond: Double
    var bytesPerSecond: Double
    var latencyMilliseconds: Latency
    /// By status; 0: the connection broke.
    var failures: [String: Int]
    /// `nil` where the server's processes are not known.
    var serverCPUMillisecondsPerOperation: Double?
    var serverResidentBytes: Int?
    var clientCPUMillisecondsPerOperation: Double

    init(
        phase: BenchPhase, tallies: [BenchTally], seconds: Double, serverCPU: Double?,
        serverResidentBytes: Int?, clientCPU: Double
    ) {
        operation = phase.operation
        objectBytes = phase.objectBytes
        connections = phase.connections
        self.seconds = seconds
        operations = tallies.map(\.done).reduce(0, +)
        operationsPerSecond = Double(operations) / seconds
        bytesPerSecond = Double(tallies.map(\.bytes).reduce(0, +)) / seconds
        var histogram = Histogram<UInt64>(numberOfSignificantValueDigits: .three)
        var counts: [Int: Int] = [:]
        for tally in tallies {
            for (nanoseconds, count) in tally.nanoseconds {
                histogram.record(nanoseconds / 1000, count: count)
            }
            counts.merge(tally.failures, uniquingKeysWith: +)
        }
        func milliseconds(_ percentile: Double) -> Double {
            Double(histogram.valueAtPercentile(percentile)) / 1000
        }
        latencyMilliseconds = Latency(
            p50: milliseconds(50), p90: milliseconds(90), p99: milliseconds(99),
            p999: milliseconds(99.9), max: milliseconds(100))
        failures = Dictionary(uniqueKeysWithValues: counts.map { ("\($0.key)", $0.value) })
        let divisor = Double(Swift.max(1, operations))
        serverCPUMillisecondsPerOperation = serverCPU.map { $0 / divisor }
        self.serverResidentBytes = serverResidentBytes
        clientCPUMillisecondsPerOperation = clientCPU / divisor
    }

    static let tableHeader = [
        "OPERATION", "SIZE", "×", "OPS/S", "MIB/S", "P50 MS", "P90", "P99", "P99.9", "MAX",
        "SERVER MS/OP", "CLIENT MS/OP", "FAILED",
    ]

    var tableRow: [String] {
        func fixed(_ number: Double, _ digits: Int) -> String { Self.fixed(number, digits) }
        let failed = failures.sorted { $0.key < $1.key }.map {
            "\($0.value)×\($0.key == "0" ? "broken" : $0.key)"
        }
        return [
            operation.rawValue, operation.dependsOnSize ? ByteSize.format(objectBytes) : "100 keys",
            "\(connections)", fixed(operationsPerSecond, operationsPerSecond < 100 ? 1 : 0),
            fixed(bytesPerSecond / 1_048_576, 1), fixed(latencyMilliseconds.p50, 2),
            fixed(latencyMilliseconds.p90, 2), fixed(latencyMilliseconds.p99, 2),
            fixed(latencyMilliseconds.p999, 2), fixed(latencyMilliseconds.max, 1),
            serverCPUMillisecondsPerOperation.map { fixed($0, 3) } ?? "?",
            fixed(clientCPUMillisecondsPerOperation, 3),
            failed.isEmpty ? "-" : failed.joined(separator: " "),
        ]
    }

    /// `12.30` for (12.3, 2).
    static func fixed(_ number: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        guard number.isFinite, abs(number) < 1e12 else { return "?" }
        let scaled = Int((number * scale).rounded())
        guard digits > 0 else { return "\(scaled)" }
        let fraction = String(scaled % Int(scale))
        return "\(scaled / Int(scale))."
            + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}
