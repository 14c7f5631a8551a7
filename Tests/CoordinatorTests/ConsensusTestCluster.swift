import Catalogue
import Core
import Foundation
import Logging
import NIOCore
import NIOPosix
import Raft
import RaftLog
import Synchronization

@testable import Coordinator

let testRange = RangeID(rawValue: 1)

/// A network in memory: loses some messages, delays others, and can be cut.
final class TestNetwork: RaftTransport {
    struct State {
        var hosts: [NodeID: RaftHost] = [:]
        var cut: Set<NodeID> = []
        var lossPercent = 0
        var random: SeededRandom
        var snapshotCount = 0
    }

    struct Lost: Error {}

    let me: NodeID
    private let shared: Shared

    final class Shared: Sendable {
        let state: Mutex<State>
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        init(seed: UInt64) { state = Mutex(State(random: SeededRandom(seed: seed))) }
    }

    init(_ me: NodeID, _ shared: Shared) {
        self.me = me
        self.shared = shared
    }

    private func receiver(_ node: NodeID) -> (host: RaftHost, delay: Int64)? {
        shared.state.withLock { state in
            guard !state.cut.contains(me), !state.cut.contains(node) else { return nil }
            let isLost = Int.random(in: 0..<100, using: &state.random) < state.lossPercent
            let delay = Int64.random(in: 0..<100, using: &state.random) < 5 ? Int64(10) : 0
            return isLost ? nil : state.hosts[node].map { ($0, delay) }
        }
    }

    func send(_ batch: ByteBuffer, to node: NodeID) {
        guard let (host, delay) = receiver(node) else { return }
        let me = me
        if delay == 0 { return host.receive(batch, from: me) }
        shared.group.next().scheduleTask(in: .milliseconds(delay)) {
            host.receive(batch, from: me)
        }
    }

    func sendSnapshot(
        _ header: ByteBuffer, to node: NodeID, next: @Sendable () async throws -> ByteBuffer?
    ) async throws {
        guard let (host, _) = receiver(node) else { throw Lost() }
        shared.state.withLock { $0.snapshotCount += 1 }
        try await host.receiveSnapshot(header, from: me) {
            guard self.receiver(node) != nil else { throw Lost() }
            return try await next()
        }
    }
}

/// What a group tells.
final class TestObserver: ConsensusObserver {
    struct State {
        var applied: [RangeID: UInt64] = [:]
        var leaderships: [(RangeID, Bool, UInt64)] = []
    }
    let state = Mutex(State())
    func applied(_ range: RangeID, index: UInt64) {
        state.withLock { $0.applied[range] = index }
    }
    func leadershipChanged(_ range: RangeID, isLeader: Bool, term: UInt64) {
        state.withLock { $0.leaderships.append((range, isLeader, term)) }
    }
}

/// Hosts of one process, over ``TestNetwork``, with disks that forget.
final class TestCluster: Sendable {
    struct Node: Sendable {
        let id: NodeID
        let log: SimulatedDisk
        let stores: [RangeID: CounterDisk]
        let directory: String
        let observer: TestObserver
        /// Real files instead of `log`.
        var isOnFiles = false
    }

    struct State {
        var hosts: [NodeID: RaftHost] = [:]
        var runs: [NodeID: Task<(any Error)?, Never>] = [:]
        var random: SeededRandom
    }

    let nodes: [Node]
    let founders: [NodeID]
    let ranges: [RangeID]
    let shared: TestNetwork.Shared
    let directory: String
    var tune: @Sendable (inout RaftHost.Configuration) -> Void { tuning }
    private let tuning: @Sendable (inout RaftHost.Configuration) -> Void
    let state: Mutex<State>

    init(
        count: Int = 3, founderCount: Int = 3, rangeCount: UInt32 = 1, seed: UInt64 = 1,
        isOnFiles: Bool = false,
        tune: @escaping @Sendable (inout RaftHost.Configuration) -> Void = { _ in }
    ) throws {
        let directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("consensus-\(UUID().uuidString)").path
        let ranges = (1...rangeCount).map { RangeID(rawValue: $0) }
        nodes = (1...count).map { number in
            Node(
                id: NodeID(high: 0, low: UInt64(number)), log: SimulatedDisk(),
                stores: Dictionary(uniqueKeysWithValues: ranges.map { ($0, CounterDisk()) }),
                directory: "\(directory)/\(number)", observer: TestObserver(),
                isOnFiles: isOnFiles)
        }
        for node in nodes {
            try FileManager.default.createDirectory(
                atPath: node.directory, withIntermediateDirectories: true)
        }
        self.directory = directory
        self.ranges = ranges
        founders = nodes.prefix(founderCount).map(\.id)
        shared = TestNetwork.Shared(seed: seed)
        tuning = tune
        state = Mutex(State(random: SeededRandom(seed: seed)))
    }

    func node(_ id: NodeID) -> Node { nodes.first { $0.id == id }! }

    func host(_ id: NodeID) -> RaftHost? { state.withLock { $0.hosts[id] } }

    var hosts: [RaftHost] {
        state.withLock { state in nodes.compactMap { state.hosts[$0.id] } }
    }

    func startAll() async throws { for id in founders { try await start(id) } }

    @discardableResult
    func start(_ id: NodeID) async throws -> RaftHost {
        let node = node(id)
        let first = founders.contains(id) ? Membership(voters: founders) : nil
        let groups = ranges.map { range in
            RaftHost.Configuration.Group(range: range, firstMembership: first) {
                CounterStore(node.stores[range]!)
            }
        }
        var configuration = RaftHost.Configuration(
            me: id, directory: node.directory, groups: groups,
            seed: state.withLock { $0.random.next() })
        configuration.raft.electionTimeoutMilliseconds = 300
        configuration.raft.heartbeatMilliseconds = 30
        configuration.logDisk = node.isOnFiles ? nil : node.log
        configuration.segmentBytes = 8 << 20
        configuration.isBalancing = false
        tune(&configuration)
        var logger = Logger(label: "node-\(id.low)")
        logger.logLevel = .critical
        let host = try await RaftHost.open(
            configuration, transport: TestNetwork(id, shared), clocks: SystemClocks(),
            eventLoop: shared.group.next(), observer: node.observer, logger: logger)
        shared.state.withLock { $0.hosts[id] = host }
        let run = Task { () -> (any Error)? in
            do {
                try await host.run()
                return nil
            } catch { return error }
        }
        state.withLock { state in
            state.hosts[id] = host
            state.runs[id] = run
        }
        return host
    }

    private func remove(_ id: NodeID) -> (RaftHost?, Task<(any Error)?, Never>?) {
        shared.state.withLock { $0.hosts[id] = nil }
        return state.withLock { state in
            (state.hosts.removeValue(forKey: id), state.runs.removeValue(forKey: id))
        }
    }

    /// Power is lost.
    func kill(_ id: NodeID) async {
        let (host, run) = remove(id)
        await host?.kill()
        _ = await run?.value
        let node = node(id)
        state.withLock { state in
            node.log.crash(using: &state.random)
            for range in ranges { node.stores[range]?.crash(using: &state.random) }
        }
    }

    /// A regular stop.
    ///
    /// - Returns: what `run` threw.
    @discardableResult
    func stop(_ id: NodeID) async -> (any Error)? {
        let (host, run) = remove(id)
        await host?.close()
        run?.cancel()
        return await run?.value
    }

    func end() async {
        for node in nodes { await stop(node.id) }
        try? await shared.group.shutdownGracefully()
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// Waits until `condition` holds.
    static func wait(
        _ seconds: Int64 = 60, until condition: () async -> Bool
    ) async -> Bool {
        let end = NIODeadline.now() + .seconds(seconds)
        while end > .now() {
            if await condition() { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    func leader(of range: RangeID = testRange) async -> RaftHost? {
        var found: RaftHost?
        _ = await Self.wait {
            found = hosts.first { $0.isLeader(range) }
            return found != nil
        }
        return found
    }

    // MARK: A client that does not give up

    private func ask(
        _ range: RangeID, _ call: (RaftHost, NIODeadline) async -> ConsensusOutcome
    ) async -> Int? {
        let end = NIODeadline.now() + .seconds(90)
        var hint: NodeID?
        while end > .now() {
            let hosts = hosts
            let asked =
                hint.flatMap { host($0) }
                ?? state.withLock { hosts.randomElement(using: &$0.random) }
            hint = nil
            guard let asked else {
                try? await Task.sleep(for: .milliseconds(10))
                continue
            }
            switch await call(asked, .now() + .seconds(2)) {
            case .done(let bytes): return Int(String(decoding: bytes, as: UTF8.self))
            case .notLeader(let leader):
                hint = leader
                if leader == nil { try? await Task.sleep(for: .milliseconds(10)) }
            case .uncertain, .overloaded: try? await Task.sleep(for: .milliseconds(5))
            case .noSuchRange: return nil
            }
        }
        return nil
    }

    /// Repeats the command until it is applied. Nil: not within a minute and a half.
    func add(_ name: String, id: String, range: RangeID = testRange) async -> Int? {
        await ask(range) { host, deadline in
            await host.propose(range, Array("add \(id) \(name)".utf8), deadline: deadline)
        }
    }

    func get(_ name: String, range: RangeID = testRange) async -> Int? {
        await ask(range) { host, deadline in
            await host.query(range, Array("get \(name)".utf8), deadline: deadline)
        }
    }
}
