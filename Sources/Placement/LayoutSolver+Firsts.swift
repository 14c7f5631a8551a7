import Core

/// The order within a partition's list: its first node is the preferred reader.
extension LayoutSolver {
    /// Orders the lists so that every node is first in about 1/copies of its partitions, keeping
    /// the firsts that are. Later places keep the order of `current`; new holders come last.
    mutating func orderFirsts(current: [[NodeID]]) {
        var firsts = Firsts(nodeCount: ids.count)
        var open: [Int] = []
        for partition in holders.indices {
            guard let first = holders[partition].first else { continue }
            if current[partition].first == ids[first] {
                firsts.append(partition, to: first)
            } else {
                open.append(partition)
            }
        }
        for partition in open {
            let node = holders[partition].min {
                let (left, right) = (firsts.count($0) * load[$1], firsts.count($1) * load[$0])
                return left != right
                    ? left < right : chance(partition, $0) > chance(partition, $1)
            }
            if let node { firsts.append(partition, to: node) }
        }
        level(&firsts)
        for (node, partitions) in firsts.partitions.enumerated() {
            for partition in partitions {
                guard let position = holders[partition].firstIndex(of: node) else { continue }
                holders[partition].remove(at: position)
                holders[partition].insert(node, at: 0)
            }
        }
    }

    private struct Firsts {
        var partitions: [[Int]]

        init(nodeCount: Int) { partitions = Array(repeating: [], count: nodeCount) }

        func count(_ node: Int) -> Int { partitions[node].count }

        mutating func append(_ partition: Int, to node: Int) { partitions[node].append(partition) }

        mutating func perform(_ chain: [LayoutMove]) {
            for move in chain {
                partitions[move.giver].removeAll { $0 == move.partition }
                partitions[move.taker].append(move.partition)
            }
        }
    }

    private func level(_ firsts: inout Firsts) {
        let shares = load.map { $0 / copies }
        for node in ids.indices {
            let slack = max(1, shares[node] * PlacementLimits.slackPercent / 100)
            while firsts.count(node) > shares[node] + 1 + slack {
                guard
                    let chain = chain(
                        in: firsts, from: [node],
                        isGoal: ids.indices.map { firsts.count($0) < shares[$0] + 1 })
                else { break }
                firsts.perform(chain)
            }
            while firsts.count(node) < shares[node] - slack {
                let givers = ids.indices.filter { firsts.count($0) > shares[$0] }
                guard
                    let chain = chain(
                        in: firsts, from: givers, isGoal: ids.indices.map { $0 == node })
                else { break }
                firsts.perform(chain)
            }
        }
    }

    private func chain(
        in firsts: Firsts, from givers: [Int], isGoal: [Bool]
    ) -> [LayoutMove]? {
        var search = PathSearch(nodeCount: ids.count)
        return search.shortest(from: givers, isGoal: isGoal) { giver, visit in
            for partition in firsts.partitions[giver] {
                for taker in holders[partition] where taker != giver {
                    let move = LayoutMove(partition: partition, giver: giver, taker: taker)
                    if !visit(move) { return }
                }
            }
        }
    }
}
