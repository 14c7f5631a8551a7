import Core
import Foundation
import NIOCore
import Raft
import RaftLog
import Synchronization
import Testing

@testable import Coordinator

@Suite(.serialized, .timeLimit(.minutes(10)))
struct ConsensusFaultTests {
    private func withCluster(
        _ cluster: TestCluster, _ body: (TestCluster) async throws -> Void
    ) async throws {
        do { try await body(cluster) } catch {
            await cluster.end()
            throw error
        }
        await cluster.end()
    }

    @Test func `a lost leader is replaced, and comes back`() async throws {
        try await withCluster(TestCluster()) { cluster in
            try await cluster.startAll()
            for number in 1...20 { #expect(await cluster.add("x", id: "\(number)") == number) }
            let leader = try #require(await cluster.leader())
            await cluster.kill(leader.me)
            for number in 21...40 { #expect(await cluster.add("x", id: "\(number)") == number) }
            try await cluster.start(leader.me)
            let isBack = await TestCluster.wait {
                cluster.node(leader.me).stores[testRange]?.current.counters["x"] == 40
            }
            #expect(isBack)
        }
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `what was acknowledged survives a power cut of all at once`(seed: UInt64) async throws {
        try await withCluster(TestCluster(rangeCount: 2, seed: seed)) { cluster in
            var acknowledged: [RangeID: Int] = [:]
            for round in 0..<3 {
                try await cluster.startAll()
                await withTaskGroup(of: RangeID?.self) { group in
                    for number in 0..<60 {
                        let range = cluster.ranges[number % 2]
                        group.addTask {
                            let id = "\(round)-\(number)"
                            return await cluster.add("x", id: id, range: range) == nil ? nil : range
                        }
                    }
                    for await range in group {
                        if let range { acknowledged[range, default: 0] += 1 }
                    }
                }
                for node in cluster.nodes { await cluster.kill(node.id) }
            }
            try await cluster.startAll()
            for range in cluster.ranges {
                #expect(await cluster.get("x", range: range) == acknowledged[range])
                #expect(acknowledged[range] == 90)
            }
        }
    }

    private static let smallLog: @Sendable (inout RaftHost.Configuration) -> Void = {
        $0.checkpoints.bytes = 4 << 10
        $0.checkpoints.keptEntries = 4
        $0.segmentBytes = 256 << 10
        $0.raft.tailBytesMax = 4 << 10
        $0.raft.appendBytesMax = 4 << 10
        $0.maintenanceMilliseconds = 50
    }

    @Test func `a newcomer is caught up by a snapshot, promoted, and can replace a voter`()
        async throws
    {
        let cluster = try TestCluster(count: 4, tune: Self.smallLog)
        try await withCluster(cluster) { cluster in
            try await cluster.startAll()
            var number = 0
            let isTruncated = await TestCluster.wait {
                number += 1
                _ = await cluster.add("x", id: "\(number)")
                guard let leader = await cluster.leader() else { return false }
                return (await leader.state(of: testRange)?.logFirstIndex ?? 0) > 1
            }
            #expect(isTruncated)
            let newcomer = cluster.nodes[3].id
            try await cluster.start(newcomer)
            try await change(cluster, .addLearner(newcomer))
            let isCaughtUp = await TestCluster.wait {
                await cluster.leader()?.state(of: testRange)?.learners[newcomer] == true
            }
            #expect(isCaughtUp)
            #expect(cluster.shared.state.withLock { $0.snapshotCount } > 0)
            try await change(cluster, .promote(newcomer))
            let leader = try #require(await cluster.leader())
            let gone = try #require(cluster.founders.first { $0 != leader.me })
            try await change(cluster, .remove(gone))
            await cluster.kill(gone)
            // The newcomer's vote counts now: without it there is no majority of three.
            let other = try #require(cluster.founders.first { $0 != leader.me && $0 != gone })
            await cluster.kill(other)
            #expect(await cluster.add("x", id: "last") == number + 1)
            let state = await cluster.leader()?.state(of: testRange)
            #expect(state?.voters == [leader.me, newcomer, other].sorted())
            let isEqual = await TestCluster.wait {
                cluster.nodes[3].stores[testRange]?.current.counters["x"] == number + 1
            }
            #expect(isEqual)
        }
    }

    private func change(_ cluster: TestCluster, _ step: VoterPlan.Step) async throws {
        let isChanged = await TestCluster.wait {
            guard let leader = await cluster.leader() else { return false }
            return await leader.change(testRange, step, deadline: .now() + .seconds(5))
        }
        #expect(isChanged, "\(step)")
    }

    @Test(arguments: 0..<3 as Range<UInt64>)
    func `a follower that slept through a truncation gets a snapshot, whatever crashes meanwhile`(
        seed: UInt64
    ) async throws {
        let cluster = try TestCluster(seed: seed, tune: Self.smallLog)
        try await withCluster(cluster) { cluster in
            try await cluster.startAll()
            let leader = try #require(await cluster.leader())
            let sleeper = try #require(cluster.founders.first { $0 != leader.me })
            await cluster.kill(sleeper)
            var number = 0
            let isTruncated = await TestCluster.wait {
                number += 1
                _ = await cluster.add("x", id: "\(number)")
                let first = await cluster.leader()?.state(of: testRange)?.logFirstIndex
                return (first ?? 0) > 100
            }
            #expect(isTruncated)
            for pause in [1, 5, 20, 60] {
                try await cluster.start(sleeper)
                try await Task.sleep(for: .milliseconds(pause))
                await cluster.kill(sleeper)
            }
            try await cluster.start(sleeper)
            let isBack = await TestCluster.wait {
                cluster.node(sleeper).stores[testRange]?.current.counters["x"] == number
            }
            #expect(isBack)
        }
    }

    @Test(arguments: 0..<6 as Range<UInt64>)
    func `counters stay linearizable while nodes die, sleep and lose messages`(
        seed: UInt64
    ) async throws {
        let cluster = try TestCluster(seed: seed) { configuration in
            if seed % 2 == 0 { Self.smallLog(&configuration) }
        }
        try await withCluster(cluster) { cluster in
            try await cluster.startAll()
            cluster.shared.state.withLock { $0.lossPercent = 2 }
            let history = CounterHistory()
            await withTaskGroup(of: Void.self) { group in
                for client in 0..<6 {
                    group.addTask {
                        var number = 0
                        while !history.isOver {
                            number += 1
                            let id = "\(client)-\(number)"
                            let isDone = await history.record(isAdd: client % 2 == 0) {
                                client % 2 == 0
                                    ? await cluster.add("x", id: id) : await cluster.get("x")
                            }
                            if !isDone {
                                Issue.record("seed \(seed): client \(client) got no answer")
                                return
                            }
                        }
                    }
                }
                await disturb(cluster, seed: seed)
                history.end()
            }
            #expect(history.count > 50)
            let violation = history.violation()
            #expect(violation == nil, "seed \(seed)")
        }
    }

    /// Some disasters, one after another; a majority is up in between.
    private func disturb(_ cluster: TestCluster, seed: UInt64) async {
        var random = SeededRandom(seed: seed &+ 99)
        for _ in 0..<8 {
            let leader = cluster.hosts.first { $0.isLeader(testRange) }?.me
            let anyone = cluster.founders.randomElement(using: &random)!
            let victim = Bool.random(using: &random) ? leader ?? anyone : anyone
            let pause = Int.random(in: 50...600, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0:
                cluster.shared.state.withLock { $0.cut = [victim] }
                try? await Task.sleep(for: .milliseconds(pause))
                cluster.shared.state.withLock { $0.cut = [] }
            case 1:
                let to = cluster.founders.randomElement(using: &random)!
                if let leader { await cluster.host(leader)?.transferLeadership(testRange, to: to) }
            default:
                await cluster.kill(victim)
                try? await Task.sleep(for: .milliseconds(pause))
                do { try await cluster.start(victim) } catch {
                    Issue.record("seed \(seed): \(victim) does not start: \(error)")
                }
            }
            try? await Task.sleep(for: .milliseconds(pause))
        }
    }

    @Test func `a failed sync stops the host, and says why`() async throws {
        try await withCluster(TestCluster()) { cluster in
            try await cluster.startAll()
            #expect(await cluster.add("x", id: "1") == 1)
            let leader = try #require(await cluster.leader())
            cluster.node(leader.me).log.failSync(after: 1)
            // The others go on.
            #expect(await cluster.add("x", id: "2") == 2)
            let run = cluster.state.withLock { $0.runs[leader.me] }
            let error = await run?.value as? RaftHostError
            guard case .stopped(let reason)? = error else {
                Issue.record("it went on: \(String(describing: error))")
                return
            }
            #expect(reason.contains("sync"))
            #expect(!leader.isLeader(testRange))
            await cluster.kill(leader.me)
            try await cluster.start(leader.me)
            #expect(await cluster.add("x", id: "3") == 3)
        }
    }

    @Test func `a full disk is waited out`() async throws {
        try await withCluster(TestCluster(tune: Self.smallLog)) { cluster in
            for node in cluster.nodes { node.log.setFreeBytes(3 * 256 << 10) }
            try await cluster.startAll()
            let filler = String(repeating: "f", count: 3_000)
            for number in 1...600 {
                #expect(await cluster.add("x", id: "\(number)-\(filler)") == number)
            }
            #expect(await cluster.get("x") == 600)
        }
    }
}
