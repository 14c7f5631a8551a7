/// Filling gaps, then moving what must move so that every node is near its quota.
extension LayoutSolver {
    /// Gives every partition its copies. Each gap goes to one of the nodes that the zones permit,
    /// drawn by the room they have for their quotas.
    mutating func fill() {
        for partition in holders.indices {
            while holders[partition].count < copies {
                let node = drawTaker(of: partition)
                holders[partition].append(node)
                partitionsOf[node].append(partition)
                load[node] += 1
            }
        }
    }

    private func drawTaker(of partition: Int) -> Int {
        let isZoneForced = copies - holders[partition].count == missing(partition)
        let isOpen = zoneUpper.indices.map { zone in
            let bound = isZoneForced ? zoneLower[zone] : zoneUpper[zone]
            return holderCount(of: partition, zone: zone) < bound
        }
        let takers = ids.indices.filter {
            isOpen[zoneOf[$0]] && !holders[partition].contains($0)
        }
        let room = takers.reduce(0) { $0 + max(0, quota[$1] - load[$1]) }
        if room > 0 {
            var ticket = Int(chance(partition, holders[partition].count) % UInt64(room))
            for node in takers {
                ticket -= max(0, quota[node] - load[node])
                if ticket < 0 { return node }
            }
        }
        let least = takers.min {
            let (left, right) = (load[$0] - quota[$0], load[$1] - quota[$1])
            return left != right ? left < right : chance(partition, $0) > chance(partition, $1)
        }
        guard let least else { preconditionFailure("the zone bounds always leave a taker") }
        return least
    }

    /// Moves replicas from nodes above their quota to nodes below it, until nobody is off by more
    /// than the slack.
    mutating func balance() {
        var isGivenUp = [Bool](repeating: false, count: ids.count)
        func isOff(_ node: Int, by difference: Int) -> Bool {
            difference > max(1, quota[node] * PlacementLimits.slackPercent / 100)
        }
        for node in ids.indices where isOff(node, by: quota[node] - load[node]) {
            while load[node] < quota[node], !isGivenUp[node] {
                isGivenUp[node] = !pull(into: node)
            }
        }
        for node in ids.indices where isOff(node, by: load[node] - quota[node]) {
            while load[node] > quota[node], !isGivenUp[node] {
                isGivenUp[node] = !push(outOf: node)
            }
        }
    }

    private mutating func pull(into taker: Int) -> Bool {
        let givers = ids.indices.filter { load[$0] > quota[$0] }
            .sorted {
                let (left, right) = (load[$0] - quota[$0], load[$1] - quota[$1])
                return left != right ? left > right : $0 < $1
            }
        for giver in givers {
            if let move = directMove(from: giver, to: taker) {
                perform([move])
                return true
            }
        }
        guard let chain = chain(from: givers, isGoal: ids.indices.map { $0 == taker }) else {
            return false
        }
        perform(chain)
        return true
    }

    private mutating func push(outOf giver: Int) -> Bool {
        let takers = ids.indices.filter { load[$0] < quota[$0] }
            .sorted {
                let (left, right) = (quota[$0] - load[$0], quota[$1] - load[$1])
                return left != right ? left > right : $0 < $1
            }
        for taker in takers {
            if let move = directMove(from: giver, to: taker) {
                perform([move])
                return true
            }
        }
        guard let chain = chain(from: [giver], isGoal: zip(load, quota).map { $0 < $1 })
        else { return false }
        perform(chain)
        return true
    }

    private func directMove(from giver: Int, to taker: Int) -> LayoutMove? {
        var best: LayoutMove?
        var bestChance: UInt64 = 0
        for partition in partitionsOf[giver] where canMove(partition, from: giver, to: taker) {
            let chance = chance(partition, taker)
            if best == nil || chance > bestChance {
                best = LayoutMove(partition: partition, giver: giver, taker: taker)
                bestChance = chance
            }
        }
        return best
    }

    private func chain(from givers: [Int], isGoal: [Bool]) -> [LayoutMove]? {
        var search = PathSearch(nodeCount: ids.count)
        return search.shortest(from: givers, isGoal: isGoal) { giver, visit in
            for partition in partitionsOf[giver] {
                for taker in ids.indices where canMove(partition, from: giver, to: taker) {
                    let move = LayoutMove(partition: partition, giver: giver, taker: taker)
                    if !visit(move) { return }
                }
            }
        }
    }

    private mutating func perform(_ chain: [LayoutMove]) {
        for move in chain {
            guard let position = holders[move.partition].firstIndex(of: move.giver),
                let listed = partitionsOf[move.giver].firstIndex(of: move.partition)
            else { preconditionFailure("a move takes from a holder") }
            holders[move.partition][position] = move.taker
            partitionsOf[move.giver].swapAt(listed, partitionsOf[move.giver].count - 1)
            partitionsOf[move.giver].removeLast()
            partitionsOf[move.taker].append(move.partition)
            load[move.giver] -= 1
            load[move.taker] += 1
        }
    }
}
