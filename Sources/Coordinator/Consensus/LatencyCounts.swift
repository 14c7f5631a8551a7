/// How often something took how long, in powers of two of microseconds.
package struct LatencyCounts: Hashable, Sendable {
    /// `counts[i]`: at least 2^(i-1) and less than 2^i microseconds; the last one and more.
    package private(set) var counts = [UInt64](repeating: 0, count: 26)
    package private(set) var count: UInt64 = 0
    package private(set) var totalMicroseconds: UInt64 = 0

    package init() {}

    package mutating func add(microseconds: UInt64) {
        let slot = UInt64.bitWidth - microseconds.leadingZeroBitCount
        counts[min(slot, counts.count - 1)] += 1
        count += 1
        totalMicroseconds &+= microseconds
    }

    /// An upper bound of the given share of all, in microseconds; 0 where there are none.
    package func quantile(_ share: Double) -> UInt64 {
        let wanted = Double(count) * share
        var seen: UInt64 = 0
        for (slot, count) in counts.enumerated() where count > 0 {
            seen += count
            if Double(seen) >= wanted { return 1 << UInt64(slot) }
        }
        return 0
    }
}
