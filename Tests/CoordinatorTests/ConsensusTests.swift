import Core
import Foundation
import NIOCore
import Raft
import RaftLog
import Synchronization
import Testing

@testable import Coordinator

@Suite(.serialized, .timeLimit(.minutes(5)))
struct ConsensusTests {
    private func withCluster(
        _ cluster: TestCluster, _ body: (TestCluster) async throws -> Void
    ) async throws {
        do { try await body(cluster) } catch {
            await cluster.end()
            throw error
        }
        await cluster.end()
    }

    @Test func `three hosts elect a leader, apply and answer, on real files`() async throws {
        try await withCluster(TestCluster(isOnFiles: true)) { cluster in
            try await cluster.startAll()
            #expect(await cluster.add("x", id: "1") == 1)
            #expect(await cluster.add("x", id: "2") == 2)
            #expect(await cluster.get("x") == 2)
            #expect(await cluster.get("y") == 0)
            // A clean stop of all, and a start.
            for node in cluster.nodes { await cluster.stop(node.id) }
            try await cluster.startAll()
            #expect(await cluster.get("x") == 2)
        }
    }

    @Test func `a command repeated with its id is applied once`() async throws {
        try await withCluster(TestCluster()) { cluster in
            try await cluster.startAll()
            #expect(await cluster.add("x", id: "same") == 1)
            #expect(await cluster.add("x", id: "other") == 2)
            #expect(await cluster.add("x", id: "same") == 1)
            #expect(await cluster.get("x") == 2)
        }
    }

    @Test func `many proposals of many groups share syncs`() async throws {
        try await withCluster(TestCluster(rangeCount: 4)) { cluster in
            try await cluster.startAll()
            for range in cluster.ranges { _ = await cluster.leader(of: range) }
            let before = cluster.hosts.map(\.metrics.log.syncCount).reduce(0, +)
            let done = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<1_000 {
                    group.addTask {
                        let range = cluster.ranges[number % 4]
                        return await cluster.add("x", id: "\(number)", range: range) != nil
                    }
                }
                return await group.reduce(true) { $0 && $1 }
            }
            #expect(done)
            let syncs = cluster.hosts.map(\.metrics.log.syncCount).reduce(0, +) - before
            #expect(syncs < 1_000, "three times 1,000 entries took \(syncs) syncs")
            for range in cluster.ranges { #expect(await cluster.get("x", range: range) == 250) }
        }
    }

    @Test func `who does not lead says who does`() async throws {
        try await withCluster(TestCluster()) { cluster in
            try await cluster.startAll()
            let leader = try #require(await cluster.leader())
            for host in cluster.hosts where host !== leader {
                let knows = await TestCluster.wait {
                    await host.state(of: testRange)?.leader == leader.me
                }
                #expect(knows)
                let deadline = NIODeadline.now() + .seconds(5)
                let proposed = await host.propose(testRange, [1], deadline: deadline)
                #expect(proposed == .notLeader(leader.me))
                let asked = await host.query(testRange, [1], deadline: deadline)
                #expect(asked == .notLeader(leader.me))
            }
        }
    }

    @Test func `requests that cannot be served are refused at once`() async throws {
        try await withCluster(TestCluster()) { cluster in
            try await cluster.startAll()
            let leader = try #require(await cluster.leader())
            let later = NIODeadline.now() + .seconds(5)
            let unknown = RangeID(rawValue: 77)
            #expect(await leader.propose(unknown, [], deadline: later) == .noSuchRange)
            #expect(await leader.query(unknown, [], deadline: later) == .noSuchRange)
            #expect(await leader.state(of: unknown) == nil)
            let large = [UInt8](repeating: 0, count: RaftLimits.commandBytesMax + 1)
            #expect(await leader.propose(testRange, large, deadline: later) == .overloaded)
            #expect(await leader.propose(testRange, [1], deadline: .now()) == .overloaded)
            await leader.close()
            #expect(await leader.propose(testRange, [1], deadline: later) == .notLeader(nil))
            #expect(await leader.state(of: testRange) == nil)
        }
    }

    @Test func `a leader under its lease answers without asking the others`() async throws {
        try await withCluster(TestCluster()) { cluster in
            try await cluster.startAll()
            #expect(await cluster.add("x", id: "1") == 1)
            let leader = try #require(await cluster.leader())
            let isFenced = await TestCluster.wait {
                _ = await cluster.get("x")
                return leader.metrics.fencedReads > 0
            }
            #expect(isFenced)
        }
    }

    @Test func `a cut-off leader neither answers nor applies`() async throws {
        try await withCluster(TestCluster()) { cluster in
            try await cluster.startAll()
            #expect(await cluster.add("x", id: "1") == 1)
            let old = try #require(await cluster.leader())
            cluster.shared.state.withLock { $0.cut = [old.me] }
            let isDeposed = await TestCluster.wait {
                cluster.hosts.contains { $0 !== old && $0.isLeader(testRange) }
            }
            #expect(isDeposed)
            let deadline = NIODeadline.now() + .milliseconds(500)
            let command = Array("add 2 x".utf8)
            let outcome = await old.propose(testRange, command, deadline: deadline)
            #expect(outcome == .uncertain || outcome == .notLeader(nil))
            let asked = await old.query(testRange, Array("get x".utf8), deadline: deadline)
            #expect(asked != .done(Array("1".utf8)))
            cluster.shared.state.withLock { $0.cut = [] }
            #expect(await cluster.add("x", id: "3") == 2)
            #expect(await cluster.add("x", id: "2") == 3, "it never was applied")
        }
    }

    @Test func `a graceful stop hands leadership over`() async throws {
        try await withCluster(TestCluster(rangeCount: 3)) { cluster in
            try await cluster.startAll()
            let first = try #require(await cluster.leader())
            for range in cluster.ranges {
                _ = await cluster.leader(of: range)
                #expect(await cluster.add("x", id: "1", range: range) == 1)
            }
            await first.handOver()
            for range in cluster.ranges { #expect(!first.isLeader(range)) }
            for range in cluster.ranges {
                let leader = await cluster.leader(of: range)
                #expect(leader != nil)
                #expect(leader !== first)
            }
        }
    }

    @Test func `leaders of ranges spread over the voters`() async throws {
        let tune: @Sendable (inout RaftHost.Configuration) -> Void = { configuration in
            configuration.isBalancing = true
            configuration.balanceMilliseconds = 200
        }
        try await withCluster(TestCluster(rangeCount: 3, tune: tune)) { cluster in
            try await cluster.startAll()
            let isSpread = await TestCluster.wait {
                cluster.ranges.allSatisfy { range in
                    let preferred = cluster.founders[Int(range.rawValue) % 3]
                    return cluster.host(preferred)?.isLeader(range) ?? false
                }
            }
            #expect(isSpread)
        }
    }

    @Test func `the observer hears of leadership after it is usable, and of what is applied`()
        async throws
    {
        try await withCluster(TestCluster()) { cluster in
            try await cluster.startAll()
            #expect(await cluster.add("x", id: "1") == 1)
            let leader = try #require(await cluster.leader())
            let heard = cluster.node(leader.me).observer.state.withLock { $0.leaderships.last }
            #expect(heard?.0 == testRange)
            #expect(heard?.1 == true)
            for node in cluster.nodes {
                let isApplied = await TestCluster.wait {
                    (node.observer.state.withLock { $0.applied[testRange] } ?? 0) >= 2
                }
                #expect(isApplied)
            }
            let state = await leader.state(of: testRange)
            #expect(state?.voters == cluster.founders)
            #expect(state?.leader == leader.me)
            #expect(state?.logFirstIndex == 1)
            #expect((state?.appliedIndex ?? 0) >= 2)
            let answer = try await leader.localAnswer(testRange, Array("get x".utf8))
            #expect(answer == Array("1".utf8))
        }
    }
}
