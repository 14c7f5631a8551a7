/// Shares a total out in proportion to weights, within bounds, in whole numbers.
enum Quota {
    /// - Parameters:
    ///   - total: Between the sum of `lower` and the sum of `upper`; below 2^18.
    ///   - weights: 1 or more; their sum times `total` fits 63 bits.
    ///   - held: What each has now: a whole number next to the exact share is chosen so that less
    ///     moves.
    /// - Returns: Numbers that sum to `total`, each less than one off its exact share.
    static func shares(
        of total: Int, weights: [Int], lower: [Int], upper: [Int], held: [Int]
    ) -> [Int] {
        precondition(zip(lower, upper).allSatisfy { $0 <= $1 })
        precondition(lower.reduce(0, +) <= total && total <= upper.reduce(0, +))
        var shares = [Int](repeating: 0, count: weights.count)
        var free = Array(weights.indices)
        var rest = total
        // As CSS resolves flexible lengths: fix the side that is violated more, share anew. In
        // units of 1/weight, so that nothing is rounded.
        while !free.isEmpty {
            let weight = free.reduce(0) { $0 + weights[$1] }
            var below = 0
            var above = 0
            for index in free {
                let exact = rest * weights[index]
                below += max(0, lower[index] * weight - exact)
                above += max(0, exact - upper[index] * weight)
            }
            if below == 0 && above == 0 { break }
            free.removeAll { index in
                let exact = rest * weights[index]
                let bound = above >= below ? upper[index] : lower[index]
                guard above >= below ? exact > bound * weight : exact < bound * weight
                else { return false }
                shares[index] = bound
                return true
            }
            rest = total - shares.reduce(0, +)
        }
        round(free, rest: rest, weights: weights, upper: upper, held: held, into: &shares)
        return shares
    }

    /// Rounds the free shares down and gives what is left to those that hold more already, then to
    /// the largest remainders.
    private static func round(
        _ free: [Int], rest: Int, weights: [Int], upper: [Int], held: [Int],
        into shares: inout [Int]
    ) {
        let weight = free.reduce(0) { $0 + weights[$1] }
        var left = rest
        var remainders: [(isHeld: Bool, remainder: Int, index: Int)] = []
        for index in free {
            let (quotient, remainder) = (rest * weights[index])
                .quotientAndRemainder(dividingBy: weight)
            shares[index] = quotient
            left -= quotient
            if remainder > 0, shares[index] < upper[index] {
                remainders.append((held[index] > shares[index], remainder, index))
            }
        }
        remainders.sort {
            if $0.isHeld != $1.isHeld { return $0.isHeld }
            return $0.remainder != $1.remainder
                ? $0.remainder > $1.remainder : $0.index < $1.index
        }
        precondition(left <= remainders.count, "what rounding took is less than one each")
        for entry in remainders.prefix(left) { shares[entry.index] += 1 }
    }
}
