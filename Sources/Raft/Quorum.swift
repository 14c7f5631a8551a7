/// Majorities. Groups are small, so counting beats sorting, and nothing is allocated.
enum Quorum {
    static func majority(of count: Int) -> Int { count / 2 + 1 }

    /// The greatest value that a majority of `values` reaches; nil if there are no values.
    static func reached<Value: Comparable>(_ values: some Sequence<Value>) -> Value? {
        var best: Value?
        var count = 0
        for _ in values { count += 1 }
        for candidate in values {
            if let best, candidate <= best { continue }
            var reaching = 0
            for value in values where value >= candidate { reaching += 1 }
            if reaching >= majority(of: count) { best = candidate }
        }
        return best
    }

    enum Outcome: Hashable, Sendable { case won, lost, open }

    static func outcome(granted: Int, refused: Int, voters: Int) -> Outcome {
        precondition(granted + refused <= voters)
        if voters == 0 { return .lost }
        if granted >= majority(of: voters) { return .won }
        if voters - refused < majority(of: voters) { return .lost }
        return .open
    }
}
