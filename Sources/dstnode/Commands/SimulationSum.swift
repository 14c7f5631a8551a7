import Foundation
import Simulation

/// What was played so far; goes from one process to the next as a word.
struct SimulationSum: CustomStringConvertible {
    private(set) var played: UInt64 = 0
    private(set) var simulatedSeconds: UInt64 = 0
    /// Milliseconds since 1970.
    private let begun: UInt64

    init() { begun = Self.now }

    /// - Returns: `nil` for what no ``description`` is.
    init?(_ text: String?) {
        let numbers = (text ?? "").split(separator: ",").map { UInt64($0) }
        guard numbers.count == 3, let played = numbers[0], let simulated = numbers[1],
            let begun = numbers[2]
        else { return nil }
        (self.played, simulatedSeconds, self.begun) = (played, simulated, begun)
    }

    var description: String { "\(played),\(simulatedSeconds),\(begun)" }

    private static var now: UInt64 { UInt64(max(0, Date().timeIntervalSince1970) * 1_000) }

    mutating func add(_ report: WorldReport) {
        played += 1
        simulatedSeconds += report.simulatedSeconds
    }

    /// Real time.
    var elapsed: Duration { .milliseconds(Self.now - min(begun, Self.now)) }

    /// Simulated seconds in a real one.
    var speed: Int { Int(Double(simulatedSeconds) / max(elapsed / .seconds(1), 0.001)) }
}
