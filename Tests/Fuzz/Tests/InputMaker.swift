import Core

/// Makes inputs of seeds: the seeds themselves, then what chance changes about them; the same ones
/// each time. What an input reaches it does not know, as libFuzzer does: it stays nearer the seeds.
struct InputMaker {
    /// As scripts/fuzz has it.
    static let byteCountMax = 4096

    private let seeds: [[UInt8]]
    private var random = SeededRandom(seed: 1)
    private var madeCount = 0

    init(seeds: [[UInt8]]) {
        precondition(!seeds.isEmpty, "there is something to begin with")
        self.seeds = seeds
    }

    mutating func next() -> [UInt8] {
        let bytes = madeCount < seeds.count ? seeds[madeCount] : made()
        madeCount += 1
        return Array(bytes.prefix(Self.byteCountMax))
    }

    private mutating func made() -> [UInt8] {
        if below(16) == 0 {
            // Of any size, small ones as often as large ones.
            let countMax = 1 << (2 + below(11))
            return anyBytes(1 + below(countMax))
        }
        var bytes = anySeed()
        if below(8) == 0 {
            let (head, other) = (below(bytes.count + 1), anySeed())
            let tail = below(other.count + 1)
            bytes = Array(bytes.prefix(head)) + other.suffix(tail)
        }
        let changeCount = 1 << below(4)
        for _ in 0..<changeCount { change(&bytes) }
        return bytes
    }

    private mutating func below(_ count: Int) -> Int {
        Int.random(in: 0..<count, using: &random)
    }

    private mutating func anySeed() -> [UInt8] {
        let number = below(seeds.count)
        return seeds[number]
    }

    private mutating func anyByte() -> UInt8 { UInt8(truncatingIfNeeded: random.next()) }

    private mutating func anyBytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<count { bytes.append(anyByte()) }
        return bytes
    }

    // MARK: Changes

    private mutating func change(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else {
            bytes = anyBytes(1)
            return
        }
        let (place, other) = (below(bytes.count), below(bytes.count))
        let span = range(from: place, to: bytes.count)
        switch below(10) {
        case 0: bytes[place] ^= 1 << UInt8(below(8))
        case 1: bytes[place] = anyByte()
        case 2: bytes[place] &+= UInt8(truncatingIfNeeded: below(9) - 4)
        case 3: bytes[place] = bytes[other]
        case 4: setNumber(in: &bytes, at: place)
        case 5: bytes.insert(contentsOf: anyBytes(1 + below(8)), at: place)
        case 6: bytes.removeSubrange(span)
        case 7: bytes.insert(contentsOf: Array(bytes[span]), at: other)
        case 8:
            let end = min(other + span.count, bytes.count)
            bytes.replaceSubrange(other..<end, with: Array(bytes[span].prefix(end - other)))
        default: bytes.removeSubrange(place..<bytes.count)
        }
    }

    /// Not empty; short ones more often, as fields are.
    private mutating func range(from place: Int, to end: Int) -> Range<Int> {
        let countMax = 1 << below(9)
        return place..<min(place + 1 + below(countMax), end)
    }

    /// A number at a border of its type, of 1, 2, 4 or 8 bytes in either order.
    private mutating func setNumber(in bytes: inout [UInt8], at place: Int) {
        let width = 1 << below(4)
        let all = UInt64.max >> UInt64(64 - 8 * width)
        let borders: [UInt64] = [0, 1, all >> 1, (all >> 1) + 1, all - 1, all]
        let number = borders[below(borders.count)]
        let isBigEndian = below(2) == 0
        for index in 0..<min(width, bytes.count - place) {
            let shift = UInt64(8 * (isBigEndian ? width - 1 - index : index))
            bytes[place + index] = UInt8(truncatingIfNeeded: number >> shift)
        }
    }
}
