import ClusterView
import Coordinator
import Core
import Messages
import Testing

@Suite struct PartitionPlannerTests {
    private func node(_ number: UInt64) -> NodeID { NodeID(high: 0, low: number) }

    private func state(storage: [UInt64], lost: [UInt64] = []) -> ClusterState {
        var state = ClusterState()
        let isTaken = state.apply(
            .with { changes in
                changes.revision = 1
                changes.epoch = 1
                changes.settings.replicationFactor = 3
                changes.nodes = (storage + lost).map { number in
                    .with {
                        $0.id = node(number).data
                        $0.role = .storage
                        $0.zone = "z\(number % 3)"
                        $0.capacityBytes = 100 << 30
                        $0.membership = lost.contains(number) ? .lost : .member
                    }
                }
            })
        precondition(isTaken)
        return state
    }

    /// Applies a change as the system range does.
    private func applied(_ change: ProtoChangePartitions, to state: ClusterState) -> ClusterState {
        var changes = ProtoChanges.with {
            $0.revision = state.revision + 1
            $0.epoch = state.epoch.rawValue + 1
        }
        var touched: [UInt32: ClusterState.Partition] = [:]
        func place(_ number: UInt32) -> ClusterState.Partition {
            touched[number] ?? state.partitions[Int(number)]
        }
        for step in change.assign {
            touched[step.partition] = ClusterState.Partition(
                nodes: step.nodes.compactMap { NodeID(bytes: $0) })
        }
        for step in change.begin {
            touched[step.partition] = ClusterState.Partition(
                nodes: place(step.partition).nodes,
                next: step.next.compactMap { NodeID(bytes: $0) })
        }
        for number in change.commit {
            touched[number] = ClusterState.Partition(nodes: place(number).next)
        }
        for number in change.cancel {
            touched[number] = ClusterState.Partition(nodes: place(number).nodes)
        }
        changes.partitions = touched.map { number, place in
            .with {
                $0.partition = number
                $0.nodes = place.nodes.map(\.data)
                $0.next = place.next.map(\.data)
            }
        }
        var next = state
        let isTaken = next.apply(changes)
        precondition(isTaken)
        return next
    }

    private func settled(_ state: ClusterState, up: [UInt64]) throws -> ClusterState {
        let planner = PartitionPlanner(state: state, up: Set(up.map(node)))
        let change = try #require(planner.change(isSettled: true))
        return applied(change, to: state)
    }

    @Test func `nothing is assigned before enough nodes are there, and have settled`() {
        let few = PartitionPlanner(state: state(storage: [1, 2]), up: [node(1), node(2)])
        #expect(few.change(isSettled: true) == nil)
        let silent = PartitionPlanner(state: state(storage: [1, 2, 3]), up: [node(1), node(2)])
        #expect(silent.change(isSettled: true) == nil)
        let all = Set([1, 2, 3].map(node))
        let early = PartitionPlanner(state: state(storage: [1, 2, 3]), up: all)
        #expect(early.change(isSettled: false) == nil)
        #expect(early.change(isSettled: true)?.assign.count == PartitionID.count)
    }

    @Test func `every partition has three holders on three nodes`() throws {
        let assigned = try settled(state(storage: [1, 2, 3, 4, 5]), up: [1, 2, 3, 4, 5])
        for partition in assigned.partitions {
            #expect(partition.nodes.count == 3)
            #expect(Set(partition.nodes).count == 3)
            #expect(partition.next == [])
        }
        let planner = PartitionPlanner(state: assigned, up: Set((1...5).map { node($0) }))
        #expect(planner.change(isSettled: true) == nil)
    }

    @Test func `a lost node's partitions are copied first, switched then`() throws {
        var state = try settled(state(storage: [1, 2, 3, 4, 5]), up: [1, 2, 3, 4, 5])
        let isTaken = state.apply(
            .with {
                $0.revision = state.revision + 1
                $0.epoch = state.epoch.rawValue
                $0.nodes = [
                    .with {
                        $0.id = node(5).data
                        $0.role = .storage
                        $0.capacityBytes = 100 << 30
                        $0.membership = .lost
                    }
                ]
            })
        #expect(isTaken)
        let up = Set((1...4).map { node($0) })
        let before = state.partitions.count { $0.nodes.contains(node(5)) }
        var rounds = 0
        while let change = PartitionPlanner(state: state, up: up).change(isSettled: true),
            rounds < 8
        {
            rounds += 1
            #expect(change.assign.isEmpty)
            state = applied(change, to: state)
            let planner = PartitionPlanner(state: state, up: up)
            #expect(planner.movingCount <= CoordinatorLimits.movesMax)
            for pull in planner.pulls {
                #expect(!pull.sources.contains(node(5)))
                #expect(pull.sources.count >= 2)
            }
            // Half of the pulls fail in this round and are tried again in the next.
            let half = Set(planner.pulls.enumerated().filter { $0.offset % 2 == 0 }.map(\.element))
            if let commit = planner.commit(done: half) { state = applied(commit, to: state) }
            let again = PartitionPlanner(state: state, up: up)
            if let commit = again.commit(done: Set(again.pulls)) {
                state = applied(commit, to: state)
            }
        }
        let remaining = state.partitions.count { $0.nodes.contains(node(5)) }
        #expect(remaining <= before - 8 * CoordinatorLimits.movesPerNodeMax)
        for partition in state.partitions { #expect(Set(partition.nodes).count == 3) }
    }

    @Test func `nothing is committed before every taker has pulled`() throws {
        var state = try settled(state(storage: [1, 2, 3]), up: [1, 2, 3])
        let isTaken = state.apply(
            .with {
                $0.revision = state.revision + 1
                $0.epoch = state.epoch.rawValue
                $0.nodes = [
                    .with {
                        $0.id = node(4).data
                        $0.role = .storage
                        $0.capacityBytes = 100 << 30
                        $0.membership = .member
                    }
                ]
            })
        #expect(isTaken)
        let up = Set((1...4).map { node($0) })
        let change = try #require(PartitionPlanner(state: state, up: up).change(isSettled: true))
        #expect(!change.begin.isEmpty)
        state = applied(change, to: state)
        let planner = PartitionPlanner(state: state, up: up)
        #expect(planner.commit(done: []) == nil)
        let one = try #require(planner.pulls.first)
        #expect(planner.commit(done: [one])?.commit == [UInt32(one.partition.rawValue)])
    }

    @Test func `a node that does not answer is given nothing`() throws {
        var state = try settled(state(storage: [1, 2, 3]), up: [1, 2, 3])
        let isTaken = state.apply(
            .with {
                $0.revision = state.revision + 1
                $0.epoch = state.epoch.rawValue
                $0.nodes = [
                    .with {
                        $0.id = node(4).data
                        $0.role = .storage
                        $0.capacityBytes = 100 << 30
                        $0.membership = .member
                    }
                ]
            })
        #expect(isTaken)
        let up = Set((1...3).map { node($0) })
        let change = PartitionPlanner(state: state, up: up).change(isSettled: true)
        #expect(change?.begin.allSatisfy { $0.next.allSatisfy { $0 != node(4).data } } ?? true)
    }

    @Test func `the limits agree with each other`() { CoordinatorLimits.check() }
}
