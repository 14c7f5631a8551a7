import Coordinator
import Core
import Testing

@Suite struct LivenessTests {
    private let node = NodeID(high: 0, low: 1)

    @Test func `a silent node is suspect after 3 s, down after 10 s, up again when heard`() {
        var liveness = Liveness()
        liveness.heard(node, .init(), isLeaving: false, now: 1_000)
        for (now, state) in [
            (3_999, Liveness.State.up), (4_000, .suspect), (10_999, .suspect), (11_000, .down),
        ] as [(UInt64, Liveness.State)] {
            liveness.tick(now: now)
            #expect(liveness.entries[node]?.state == state, "at \(now)")
        }
        liveness.heard(node, .init(), isLeaving: false, now: 12_000)
        #expect(liveness.entries[node]?.state == .up)
    }

    @Test func `a node that says goodbye is stopped at once, and until it is heard again`() {
        var liveness = Liveness()
        liveness.heard(node, .init(), isLeaving: false, now: 900)
        let version = liveness.version
        liveness.heard(node, .init(), isLeaving: true, now: 1_000)
        #expect(liveness.version == version + 1)
        for now in [1_001, 5_000, 60_000] as [UInt64] {
            liveness.tick(now: now)
            #expect(liveness.entries[node]?.state == .stopped)
        }
        #expect(liveness.silent(for: 10_000, now: 60_000) == [node])
        liveness.heard(node, .init(), isLeaving: false, now: 61_000)
        #expect(liveness.entries[node]?.state == .up)
    }

    @Test func `the version grows with what others act on, not with every heartbeat`() {
        var liveness = Liveness()
        liveness.heard(node, .init(freeBytes: 1 << 30), isLeaving: false, now: 1)
        let version = liveness.version
        liveness.heard(node, .init(freeBytes: 1 << 30, epoch: 7), isLeaving: false, now: 2)
        #expect(liveness.version == version)
        liveness.heard(node, .init(freeBytes: 0), isLeaving: false, now: 3)
        #expect(liveness.version == version + 1)
        liveness.tick(now: 5_000)
        #expect(liveness.version == version + 2)
    }

    @Test func `a new leader gives every node its time`() {
        var liveness = Liveness()
        liveness.expect(node, now: 50_000)
        liveness.tick(now: 52_000)
        #expect(liveness.entries[node]?.state == .up)
        #expect(liveness.silent(for: 5_000, now: 54_000) == [])
        #expect(liveness.silent(for: 5_000, now: 55_000) == [node])
    }
}
