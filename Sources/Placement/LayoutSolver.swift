import Core

/// The work sheet of ``Layout``: everything by index, nodes in the order of their ids.
///
/// Invariants: a partition's holders are distinct; `load` counts them; a partition has between
/// `zoneLower` and `zoneUpper` holders in each zone once ``fill()`` has run.
///
/// The zone bounds are the zone's quota per partition, rounded down and up. Since every quota per
/// partition is itself a (fractional) answer, whole answers exist within these bounds (integrality
/// of flows), so a gap can always be filled and a chain of moves to the quotas always exists.
struct LayoutSolver {
    let ids: [NodeID]
    let zoneOf: [Int]
    let copies: Int
    /// Whole replicas each node should hold.
    let quota: [Int]
    let zoneLower: [Int]
    let zoneUpper: [Int]
    private let salt: [UInt64]

    var holders: [[Int]]
    var load: [Int]
    /// Partitions of each node, in no particular (but reproducible) order.
    var partitionsOf: [[Int]]

    init(current: [[NodeID]], nodes: [LayoutNode], replicas: Int) {
        let sorted = nodes.sorted { $0.id < $1.id }
        ids = sorted.map(\.id)
        let indexOf = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, $0) })
        let zones = Set(sorted.map(\.zone)).sorted {
            Array($0.utf8).lexicographicallyPrecedes($1.utf8)
        }
        let zoneIndex = Dictionary(uniqueKeysWithValues: zones.enumerated().map { ($1, $0) })
        zoneOf = sorted.map { zoneIndex[$0.zone]! }
        copies = min(replicas, sorted.count)
        salt = ids.map { $0.high ^ ($0.low &* 0x9E37_79B9_7F4A_7C15) }
        holders = current.map { list in
            var kept: [Int] = []
            for id in list {
                if let index = indexOf[id], !kept.contains(index) { kept.append(index) }
            }
            return kept
        }
        load = Array(repeating: 0, count: sorted.count)
        for list in holders { for node in list { load[node] += 1 } }
        let quotas = Self.quotas(
            nodes: sorted, zoneOf: zoneOf, zoneCount: zones.count, partitions: current.count,
            copies: copies, held: load)
        quota = quotas.nodes
        let partitions = max(1, current.count)
        zoneLower = quotas.zones.map { $0 / partitions }
        zoneUpper = quotas.zones.map { ($0 + partitions - 1) / partitions }
        partitionsOf = Array(repeating: [], count: sorted.count)
        for partition in holders.indices { trim(partition) }
        for (partition, list) in holders.enumerated() {
            for node in list { partitionsOf[node].append(partition) }
        }
    }

    var lists: [[NodeID]] { holders.map { $0.map { ids[$0] } } }

    /// Whole replicas for each node and zone: zones first, as even as they allow, then nodes by
    /// capacity, none above ``PlacementLimits/overloadFactor`` times its share unless there are too
    /// few nodes.
    private static func quotas(
        nodes: [LayoutNode], zoneOf: [Int], zoneCount: Int, partitions: Int, copies: Int,
        held: [Int]
    ) -> (nodes: [Int], zones: [Int]) {
        let total = partitions * copies
        let weights = nodes.map {
            max(1, min(Int($0.capacityBytes >> 20), PlacementLimits.weightMax))
        }
        let weight = weights.reduce(0, +)
        let fair = weights.map { total * $0 / weight + 1 }
        var factor = PlacementLimits.overloadFactor
        var caps = fair.map { min(partitions, $0 * factor) }
        while caps.reduce(0, +) < total {
            factor *= 2
            caps = fair.map { min(partitions, $0 * factor) }
        }
        func perZone(_ values: [Int]) -> [Int] {
            var sums = [Int](repeating: 0, count: zoneCount)
            for (node, value) in values.enumerated() { sums[zoneOf[node]] += value }
            return sums
        }
        let zoneCaps = perZone(caps)
        var level = 1
        while zoneCaps.reduce(0, { $0 + min($1, level * partitions) }) < total { level += 1 }
        let zones = Quota.shares(
            of: total, weights: perZone(weights),
            lower: zoneCaps.map { min($0, (level - 1) * partitions) },
            upper: zoneCaps.map { min($0, level * partitions) }, held: perZone(held))
        var result = [Int](repeating: 0, count: nodes.count)
        for zone in 0..<zoneCount {
            let members = nodes.indices.filter { zoneOf[$0] == zone }
            let shares = Quota.shares(
                of: zones[zone], weights: members.map { weights[$0] },
                lower: members.map { _ in 0 }, upper: members.map { caps[$0] },
                held: members.map { held[$0] })
            for (member, share) in zip(members, shares) { result[member] = share }
        }
        return (result, zones)
    }

    // MARK: What a partition may have

    func holderCount(of partition: Int, zone: Int) -> Int {
        holders[partition].reduce(0) { $0 + (zoneOf[$1] == zone ? 1 : 0) }
    }

    /// Whether `giver` (a holder) may hand the partition to `taker`.
    func canMove(_ partition: Int, from giver: Int, to taker: Int) -> Bool {
        if holders[partition].contains(taker) { return false }
        let (from, to) = (zoneOf[giver], zoneOf[taker])
        if from == to { return true }
        return holderCount(of: partition, zone: from) > zoneLower[from]
            && holderCount(of: partition, zone: to) < zoneUpper[to]
    }

    /// Spreads choices that are equally good, so that a node shares its partitions with many others
    /// and they all help when it is lost.
    func chance(_ partition: Int, _ node: Int) -> UInt64 {
        var random = SeededRandom(seed: salt[node] ^ UInt64(partition) << 32)
        return random.next()
    }

    /// Takes away holders that break the zone bounds or are too many, those of the most overloaded
    /// nodes first.
    private mutating func trim(_ partition: Int) {
        func drop(where isCandidate: (Int) -> Bool) {
            let candidates = holders[partition].filter(isCandidate)
            guard let node = candidates.max(by: { load[$0] - quota[$0] < load[$1] - quota[$1] })
            else { preconditionFailure("a partition above a bound has a holder to drop") }
            holders[partition].removeAll { $0 == node }
            load[node] -= 1
        }
        for zone in zoneUpper.indices {
            while holderCount(of: partition, zone: zone) > zoneUpper[zone] {
                drop { zoneOf[$0] == zone }
            }
        }
        // Gaps needed for zones that have too few.
        while holders[partition].count + missing(partition) > copies {
            drop { holderCount(of: partition, zone: zoneOf[$0]) > zoneLower[zoneOf[$0]] }
        }
    }

    /// Copies that must still come from zones below their lower bound.
    func missing(_ partition: Int) -> Int {
        if zoneLower.allSatisfy({ $0 == 0 }) { return 0 }
        return zoneLower.indices.reduce(0) {
            $0 + max(0, zoneLower[$1] - holderCount(of: partition, zone: $1))
        }
    }
}
