import Core

/// Draws what survives a power cut: a disk keeps, loses and reorders at will what no sync covers.
///
/// One mood is drawn per cut, so that the rare whole outcomes come as often as the mixed ones.
enum PowerCutFates {
    /// What a disk writes as a whole, at multiples of it. SQLite relies on no more.
    static let sectorBytes = 512

    private enum Mood: CaseIterable {
        case nothingKept
        case everythingKept
        /// Each change by a coin of one weight.
        case someChanges
        /// Each sector of each write by a coin of one weight.
        case someSectors
        /// The oldest changes of all files, the last of them torn.
        case prefix
    }

    /// - Parameter changes: In the order in which they were made.
    /// - Returns: A fate for each, by sequence number.
    static func draw(
        for changes: [FileChange], using random: inout SeededRandom
    ) -> [Int: ChangeFate] {
        var fates: [Int: ChangeFate] = [:]
        let mood = Mood.allCases.randomElement(using: &random) ?? .nothingKept
        let keptPercent = Int.random(in: 5...95, using: &random)
        let wholeCount = Int.random(in: 0...changes.count, using: &random)
        for (index, change) in changes.enumerated() {
            fates[change.sequence] =
                switch mood {
                case .nothingKept: .lost
                case .everythingKept: .whole
                case .someChanges: coin(keptPercent, using: &random) ? .whole : .lost
                case .someSectors: sectors(of: change, keptPercent, using: &random)
                case .prefix where index < wholeCount: .whole
                case .prefix where index == wholeCount: torn(change, using: &random)
                case .prefix: .lost
                }
        }
        return fates
    }

    // MARK: By choice

    static func choiceCount(of change: FileChange) -> Int {
        change.kind == .write && sectors(of: change.range).count > 1 ? 3 : 2
    }

    /// - Parameter choices: For each change a number below its ``choiceCount(of:)``.
    static func chosen(_ choices: [Int], for changes: [FileChange]) -> [Int: ChangeFate] {
        precondition(choices.count == changes.count)
        var fates: [Int: ChangeFate] = [:]
        for (choice, change) in zip(choices, changes) {
            let count = choiceCount(of: change)
            precondition(choice >= 0 && choice < count)
            fates[change.sequence] =
                choice == 0 ? .lost : choice == count - 1 ? .whole : half(of: change)
        }
        return fates
    }

    private static func half(of change: FileChange) -> ChangeFate {
        let parts = sectors(of: change.range)
        return .parts(Array(parts.prefix(parts.count / 2)))
    }

    // MARK: By chance

    private static func coin(_ percent: Int, using random: inout SeededRandom) -> Bool {
        Int.random(in: 0..<100, using: &random) < percent
    }

    private static func sectors(
        of change: FileChange, _ percent: Int, using random: inout SeededRandom
    ) -> ChangeFate {
        guard change.kind == .write else { return coin(percent, using: &random) ? .whole : .lost }
        var parts: [Range<Int>] = []
        for part in sectors(of: change.range) where coin(percent, using: &random) {
            parts.append(part)
        }
        return .parts(parts)
    }

    /// The beginning of a write, up to a sector's edge within it; nothing of a resize.
    private static func torn(
        _ change: FileChange, using random: inout SeededRandom
    ) -> ChangeFate {
        guard change.kind == .write else { return .lost }
        let parts = sectors(of: change.range)
        return .parts(Array(parts.prefix(Int.random(in: 0..<parts.count, using: &random))))
    }

    /// The range, cut at the sectors' edges. Not empty.
    static func sectors(of range: Range<Int>) -> [Range<Int>] {
        precondition(!range.isEmpty)
        let first = range.lowerBound / sectorBytes
        let last = (range.upperBound - 1) / sectorBytes
        return (first...last).map { sector in
            (sector * sectorBytes..<(sector + 1) * sectorBytes).clamped(to: range)
        }
    }
}
