import ClusterView
import Core
import Messages
import Testing

@testable import Coordinator

@Suite struct NodeCountTests {
    private func node(_ number: UInt64, _ role: ProtoRole, _ membership: ProtoMembership = .member)
        -> ProtoNode
    {
        .with {
            $0.id = NodeID(high: 0, low: number).data
            $0.role = role
            $0.membership = membership
        }
    }

    @Test func `every role and state is counted, the empty ones too`() {
        var state = ClusterState()
        let isTaken = state.apply(
            .with {
                $0.revision = 1
                $0.nodes = [
                    node(1, .storage), node(2, .storage), node(3, .storage, .lost),
                    node(4, .gateway), node(5, .gateway, .left), node(6, .coordinator),
                    node(7, .storage, .draining),
                ]
            })
        #expect(isTaken)
        let living: [(UInt64, ProtoNodeState)] = [
            (1, .up), (2, .suspect), (3, .down), (4, .stopped), (5, .up), (7, .up),
        ]
        state.apply(
            living.map { number, liveness in
                .with {
                    $0.node = NodeID(high: 0, low: number).data
                    $0.state = liveness
                }
            })
        let counts = NodeCount.all(in: state)
        #expect(counts.count == 15)
        let found = Set(counts.filter { $0.count > 0 }.map { "\($0.role) \($0.state) \($0.count)" })
        #expect(
            found == [
                "storage up 2", "storage suspect 1", "storage lost 1", "gateway stopped 1",
                "coordinator down 1",
            ])
    }
}
