import Core

/// What a phase of a measurement does.
enum BenchOperation: String, CaseIterable, Sendable, Codable {
    case put, get, head, list, mix, delete

    /// Whether the size of objects changes what it costs.
    var dependsOnSize: Bool { self != .list }

    static let listKeys = 100
}

/// One phase: an operation on objects of one size.
struct BenchPhase: Sendable {
    var operation: BenchOperation
    var objectBytes: Int
    var connections: Int
    var warmUp: Duration
    var duration: Duration
    /// Ends earlier once this many are done; for filling.
    var countMax: Int?
}

/// What one lane saw during a phase.
struct BenchTally: Sendable {
    var done = 0
    var bytes = 0
    /// By status; 0: the connection broke.
    var failures: [Int: Int] = [:]
    /// Nanoseconds from the first byte sent to the last received.
    var nanoseconds: [UInt64: UInt64] = [:]
}
