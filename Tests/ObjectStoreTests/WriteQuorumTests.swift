import Core
import Testing

@testable import ObjectStore

@Suite struct WriteQuorumTests {
    private let nodes = (0..<5).map { NodeID(high: 1, low: UInt64($0)) }
    private var three: [NodeID] { Array(nodes.prefix(3)) }

    private func play(
        _ events: [WriteQuorum.Event], absent: [NodeID] = []
    ) -> [WriteQuorum.Action] {
        var quorum = WriteQuorum(replicas: three, absent: absent, ackedCountMin: 2)
        return events.map { quorum.handle($0) }
    }

    @Test func `all acked: committed, nothing missing`() {
        #expect(
            play([.acked(nodes[0]), .acked(nodes[2]), .acked(nodes[1])])
                == [.none, .startGrace, .commit(missing: [])])
    }

    @Test func `one failed, two acked: committed at once, one missing`() {
        #expect(
            play([.failed(nodes[1]), .acked(nodes[2]), .acked(nodes[0])])
                == [.none, .none, .commit(missing: [nodes[1]])])
        #expect(
            play([.acked(nodes[2]), .acked(nodes[0]), .failed(nodes[1])])
                == [.none, .startGrace, .commit(missing: [nodes[1]])])
    }

    @Test func `the straggler gets its grace, and no more`() {
        #expect(
            play([.acked(nodes[2]), .acked(nodes[0]), .gracePassed, .acked(nodes[1])])
                == [.none, .startGrace, .commit(missing: [nodes[1]]), .none])
    }

    @Test func `two failed: lost, once`() {
        #expect(
            play([.failed(nodes[1]), .failed(nodes[2]), .failed(nodes[0])])
                == [.none, .lost, .none])
    }

    @Test func `the same node again does not count`() {
        #expect(
            play([.acked(nodes[0]), .acked(nodes[0]), .failed(nodes[0]), .acked(nodes[4])])
                == [.none, .none, .none, .none])
    }

    @Test func `no grace before a quorum`() {
        #expect(play([.acked(nodes[0]), .gracePassed]) == [.none, .none])
    }

    @Test func `who is absent is missing`() {
        #expect(
            play([.acked(nodes[0]), .acked(nodes[2])], absent: [nodes[1]])
                == [.none, .commit(missing: [nodes[1]])])
        #expect(play([.failed(nodes[0])], absent: [nodes[1]]) == [.lost])
    }

    @Test func `a quorum of nothing is a bug, not an error`() async {
        await #expect(processExitsWith: .failure) {
            _ = WriteQuorum(replicas: [], ackedCountMin: 0)
        }
    }

    /// The model: count, and look.
    @Test(arguments: 0..<200 as Range<UInt64>)
    func `agrees with the obvious model`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let count = Int.random(in: 1...5, using: &random)
        let replicas = Array(nodes.prefix(count))
        let min = count / 2 + 1
        var quorum = WriteQuorum(replicas: replicas, ackedCountMin: min)
        var answers: [NodeID: Bool] = [:]
        var isDecided = false
        var hasGrace = false
        for _ in 0..<12 {
            let node = replicas.randomElement(using: &random) ?? nodes[0]
            let dice = Int.random(in: 0..<5, using: &random)
            let event: WriteQuorum.Event =
                dice == 0 ? .gracePassed : dice < 4 ? .acked(node) : .failed(node)
            let isNews = event != .gracePassed && answers[node] == nil
            if isNews { answers[node] = dice < 4 }
            let acked = answers.values.filter { $0 }.count
            let failed = answers.count - acked
            let missing = replicas.filter { answers[$0] != true }
            var expected = WriteQuorum.Action.none
            if !isDecided {
                if isNews, count - failed < min {
                    expected = .lost
                } else if acked >= min, event == .gracePassed || answers.count == count {
                    expected = .commit(missing: missing)
                } else if isNews, acked >= min, !hasGrace {
                    expected = .startGrace
                    hasGrace = true
                }
            }
            if expected != .none, expected != .startGrace { isDecided = true }
            #expect(quorum.handle(event) == expected, "seed \(seed)")
        }
    }
}
