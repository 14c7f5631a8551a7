import Core

/// One thing that reads what others wrote.
struct FuzzTarget: Sendable {
    let name: String
    /// Inputs of the short run of scripts/fuzz: about five seconds' worth. The tests feed a share.
    let runCount: Int
    /// What a run begins with: valid inputs, so that mutations get past the first check.
    let seeds: @Sendable () -> [[UInt8]]
    /// Takes any bytes. Stops the process for what may never be.
    let run: @Sendable ([UInt8]) -> Void

    static let all =
        wireTargets + raftTargets + chunkTargets + catalogueTargets + s3Targets
        + configurationTargets + cloudTargets
}

/// What an input says to do: its bytes, taken from the front. Zeros follow the last.
struct Script {
    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isEmpty: Bool { rest.isEmpty }

    mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    mutating func number<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> Value {
        var value: Value = 0
        for shift in 0..<MemoryLayout<Value>.size {
            value |= Value(truncatingIfNeeded: UInt64(byte()) << (8 * UInt64(shift)))
        }
        return value
    }

    /// At most `count`.
    mutating func bytes(_ count: Int) -> [UInt8] {
        defer { rest = rest.dropFirst(count) }
        return Array(rest.prefix(count))
    }

    mutating func all() -> [UInt8] { bytes(rest.count) }

    /// Up to the next line feed, which is dropped; not UTF-8 becomes it.
    mutating func line() -> String {
        let line = rest.prefix { $0 != UInt8(ascii: "\n") }
        rest = rest[line.endIndex...].dropFirst()
        return String(decoding: line, as: UTF8.self)
    }

    mutating func lines() -> [String] {
        var lines: [String] = []
        while !isEmpty { lines.append(line()) }
        return lines
    }
}

/// Cuts `bytes` as a network might.
func cut(_ bytes: [UInt8], by number: UInt8) -> [ArraySlice<UInt8>] {
    guard number > 0 else { return [bytes[...]] }
    var random = SeededRandom(seed: UInt64(number))
    var pieces: [ArraySlice<UInt8>] = []
    var start = 0
    let sizeMax = [1, 2, 7, 40, 400][Int(number) % 5]
    while start < bytes.count {
        let end = min(start + .random(in: 1...sizeMax, using: &random), bytes.count)
        pieces.append(bytes[start..<end])
        start = end
    }
    return pieces
}

/// What must be so whatever the input.
func check(
    _ isSo: Bool, _ claim: @autoclosure () -> String, file: StaticString = #file,
    line: UInt = #line
) {
    precondition(isSo, claim(), file: file, line: line)
}
