import Core

/// What a power cut may leave: of each thing that no sync covers (a sector, a size, a name) one of
/// the states that it went through, independently of the others. A variant is the number of the
/// state of each thing, 0 for the oldest.
///
/// All variants where there are few. Otherwise what breaks programs most often (nothing and
/// everything, each thing alone there or missing, the first things in order) and then by chance.
package struct CrashVariants: Sequence, IteratorProtocol, Sendable {
    /// States of each thing, in the order in which the things were first changed.
    private let counts: [Int]
    /// Whether all variants come.
    package let isExhaustive: Bool
    private var next_: [Int]?
    /// Of the sampled ones.
    private var queue: [[Int]] = []
    private var samplesLeft = 0
    private var random: SeededRandom

    /// - Parameters:
    ///   - exhaustiveMax: All variants come if there are no more than this.
    ///   - sampleCount: How many come otherwise, about.
    package init(counts: [Int], exhaustiveMax: Int, sampleCount: Int, seed: UInt64) {
        precondition(counts.allSatisfy { $0 > 0 })
        self.counts = counts
        random = SeededRandom(seed: seed)
        var product = 1
        for count in counts where product <= exhaustiveMax { product *= count }
        isExhaustive = product <= exhaustiveMax
        if isExhaustive {
            next_ = counts.map { _ in 0 }
        } else {
            queue = special(atMost: sampleCount / 2)
            samplesLeft = Swift.max(0, sampleCount - queue.count)
        }
    }

    package mutating func next() -> [Int]? {
        if isExhaustive { return nextInOrder() }
        if let variant = queue.popLast() { return variant }
        guard samplesLeft > 0 else { return nil }
        samplesLeft -= 1
        return counts.map { Int.random(in: 0..<$0, using: &random) }
    }

    private mutating func nextInOrder() -> [Int]? {
        guard let variant = next_ else { return nil }
        next_ = nil
        var later = variant
        for place in counts.indices {
            later[place] += 1
            if later[place] < counts[place] {
                next_ = later
                break
            }
            later[place] = 0
        }
        return variant
    }

    private mutating func special(atMost max: Int) -> [[Int]] {
        let oldest = counts.map { _ in 0 }
        let newest = counts.map { $0 - 1 }
        var variants: [[Int]] = []
        for place in counts.indices {
            var one = oldest
            one[place] = newest[place]
            variants.append(one)
            one = newest
            one[place] = 0
            variants.append(one)
            variants.append(Array(newest[..<place] + oldest[place...]))
        }
        variants.shuffle(using: &random)
        return [newest, oldest] + variants.prefix(Swift.max(0, max - 2))
    }
}
