/// Finds what somebody meant to write.
enum Suggestion {
    /// - Returns: The candidate nearest to `word`; `nil` where none is near enough to be meant.
    static func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
        let word = Array(word.utf8)
        let best = candidates.map { ($0, distance(word, Array($0.utf8))) }.min { $0.1 < $1.1 }
        guard let best, best.1 <= max(2, word.count / 3) else { return nil }
        return best.0
    }

    /// Damerau–Levenshtein (optimal string alignment): insert, delete, replace, swap neighbours.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            for column in 0..<right.count {
                let isSame = left[row] == right[column]
                var cost = min(
                    last[column + 1] + 1, current[column] + 1, last[column] + (isSame ? 0 : 1))
                let isSwap =
                    row > 0 && column > 0 && left[row] == right[column - 1]
                    && left[row - 1] == right[column]
                if isSwap { cost = min(cost, beforeLast[column - 1] + 1) }
                current.append(cost)
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}
