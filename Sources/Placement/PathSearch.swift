/// A step of a chain of moves: `partition` goes from `giver` to `taker`.
struct LayoutMove: Equatable {
    let partition: Int
    let giver: Int
    let taker: Int
}

/// Breadth-first search for the shortest chain of moves from a node with too much to one with too
/// little (an augmenting path).
struct PathSearch {
    private var moveTo: [LayoutMove?]
    private var isSeen: [Bool]
    private var queue: [Int] = []

    init(nodeCount: Int) {
        moveTo = Array(repeating: nil, count: nodeCount)
        isSeen = Array(repeating: false, count: nodeCount)
    }

    /// - Parameters:
    ///   - sources: Where a chain may begin, best first.
    ///   - isGoal: Where it may end, by node; false for every source.
    ///   - moves: Calls back with every move that takes something from the given node, until the
    ///     callback answers `false`.
    /// - Returns: The moves of the chain, all of them possible at once; `nil` where there is none.
    mutating func shortest(
        from sources: [Int], isGoal: [Bool],
        moves: (_ giver: Int, _ visit: (LayoutMove) -> Bool) -> Void
    ) -> [LayoutMove]? {
        queue = sources
        for source in sources { isSeen[source] = true }
        var head = 0
        var goal: Int?
        while head < queue.count, goal == nil {
            let node = queue[head]
            head += 1
            moves(node) { move in
                if isSeen[move.taker] { return true }
                isSeen[move.taker] = true
                moveTo[move.taker] = move
                if isGoal[move.taker] {
                    goal = move.taker
                    return false
                }
                queue.append(move.taker)
                return true
            }
        }
        guard var node = goal else { return nil }
        var chain: [LayoutMove] = []
        while let move = moveTo[node] {
            chain.append(move)
            node = move.giver
        }
        return chain.reversed()
    }
}
