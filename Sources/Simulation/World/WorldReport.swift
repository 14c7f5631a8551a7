import Core

/// What one world went through.
package struct WorldReport: Sendable, CustomStringConvertible {
    package var seed: UInt64
    package var scenario: String
    package var readyMilliseconds: UInt64
    /// From the end of trouble until all nodes were ready.
    package var healedMilliseconds: UInt64
    /// From then until every chunk had its copies and all garbage was gone.
    package var settledMilliseconds: UInt64
    package var operationCount: Int
    /// By kind and answer.
    package var operations: String
    package var disasterCount: Int
    package var simulatedSeconds: UInt64
    package var stepCount: Int
    /// The same where a seed was played the same way.
    package var fingerprint: UInt64

    package var description: String {
        "seed \(seed), \(scenario): ready \(readyMilliseconds) ms, \(disasterCount) disasters, "
            + "healed in \(healedMilliseconds) ms, settled in \(settledMilliseconds) ms, "
            + "\(operationCount) operations, \(simulatedSeconds) s, \(stepCount) steps, "
            + "\(String(fingerprint, radix: 16))\n  \(operations)"
    }
}

/// A promise that was broken in a world.
package struct WorldViolation: Error, Sendable, CustomStringConvertible {
    package var seed: UInt64
    package var scenario: String
    package var milliseconds: UInt64
    package var text: String
    /// What went wrong before.
    package var diary: [String]

    package var description: String {
        "seed \(seed), \(scenario), \(milliseconds) ms: \(text)\n"
            + diary.map { "  \($0)\n" }.joined()
    }
}

extension SeededRandom {
    /// What the next draw would be: it depends on every draw before.
    package var fingerprint: UInt64 {
        var copy = self
        return copy.next()
    }
}
