import Core
import Logging
import Messages
import NIOCore
import Synchronization
import Wire

/// Keeps a node's ``ClusterState`` up to date: asks the system range's leader for what is new,
/// again and again (a long poll), and tells those who wait.
package final class ClusterFollower: Sendable {
    package typealias Observer = @Sendable (ClusterState) -> Void

    private struct Waiter {
        let predicate: @Sendable (ClusterState) -> Bool
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct Shared {
        var state = ClusterState()
        var heardAt: MonotonicTime?
        var livenessVersion: UInt64 = 0
        var leaderTerm: UInt64 = 0
        var observers: [Observer] = []
        var waiters: [UInt64: Waiter] = [:]
        var nextWaiter: UInt64 = 0
        var troubles = Troubles()
    }

    package let addresses: AddressBook
    private let pool: WirePool
    private let seeds: @Sendable () async -> [String]
    package let clocks: any Clocks
    private let logger: Logger
    private let shared = Mutex(Shared())

    /// - Parameters:
    ///   - seeds: Where to look for coordinators while none is known or none answers; addresses.
    ///   - addresses: Learns where nodes are; the pool asks it.
    package init(
        pool: WirePool, addresses: AddressBook, clocks: any Clocks, logger: Logger,
        seeds: @escaping @Sendable () async -> [String]
    ) {
        self.pool = pool
        self.addresses = addresses
        self.clocks = clocks
        self.logger = logger
        self.seeds = seeds
    }

    package var state: ClusterState { shared.withLock { $0.state } }

    /// Whether a leader was heard of lately; what is decided on a stale view may be wrong.
    package var isFresh: Bool {
        let heardAt = shared.withLock { $0.heardAt }
        guard let heardAt else { return false }
        let age = clocks.monotonic.milliseconds - heardAt.milliseconds
        return age < ClusterViewLimits.staleAfterMilliseconds
    }

    /// Why no leader is heard, for operators; `nil` while one is, or before anybody was asked.
    package var problem: String? { isFresh ? nil : shared.withLock { $0.troubles.text } }

    /// Why there is nobody to follow yet; ``problem`` until the first round of asking.
    package func waits(_ reason: String) { shared.withLock { $0.troubles.text = reason } }

    /// Calls `observer` with the state as it is and after each change; in order, on the follower's
    /// task. To be set before ``run()``.
    package func observe(_ observer: @escaping Observer) {
        let state = shared.withLock {
            $0.observers.append(observer)
            return $0.state
        }
        observer(state)
    }

    /// A client of the catalogue that asks the coordinators this follower knows.
    package func client() -> CatalogueClient {
        CatalogueClient(pool: pool, clocks: clocks, coordinators: { [self] in coordinators })
    }

    /// Waits until the state fulfils `predicate`.
    ///
    /// - Returns: `false` after `timeout`, or where too many wait already.
    package func wait(
        atMost timeout: Duration, until predicate: @escaping @Sendable (ClusterState) -> Bool
    ) async -> Bool {
        let id = shared.withLock {
            $0.nextWaiter += 1
            return $0.nextWaiter
        }
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.wait(as: id, until: predicate) }
            group.addTask {
                try? await self.clocks.sleep(for: timeout)
                self.release(id, with: false)
                return false
            }
            let isFulfilled = await group.next() ?? false
            release(id, with: false)
            group.cancelAll()
            return isFulfilled
        }
    }

    private func wait(
        as id: UInt64, until predicate: @escaping @Sendable (ClusterState) -> Bool
    ) async -> Bool {
        await withCheckedContinuation { continuation in
            let answer: Bool? = shared.withLock { shared in
                if predicate(shared.state) { return true }
                if shared.waiters.count >= ClusterViewLimits.waitersMax { return false }
                shared.waiters[id] = Waiter(predicate: predicate, continuation: continuation)
                return nil
            }
            if let answer { continuation.resume(returning: answer) }
        }
    }

    private func release(_ id: UInt64, with answer: Bool) {
        let waiter = shared.withLock { $0.waiters.removeValue(forKey: id) }
        waiter?.continuation.resume(returning: answer)
    }

    // MARK: Following

    /// Follows until cancelled.
    package func run() async {
        var search = LeaderSearch(hint: nil)
        while !Task.isCancelled {
            let known = coordinators
            guard let node = search.next(among: known) else {
                if await askSeeds() { reportTroubles() }
                var random = Randomness.system
                let pause = search.roundEnded(using: &random)
                try? await clocks.sleep(for: .milliseconds(pause))
                continue
            }
            switch await watch(node) {
            case .heard:
                search = LeaderSearch(hint: node)
                reportHearing()
            case .redirected(let leader):
                search.redirected(from: node, to: leader)
                if leader == nil { note(node, "knows no leader") }
            case .failed(let problem):
                search.failed(node)
                note(node, problem)
            }
        }
        releaseAll()
    }

    private func note(_ node: NodeID, _ problem: String) {
        let place = addresses.address(of: node) ?? "\(node)"
        shared.withLock { $0.troubles.add("\(place): \(problem)") }
    }

    /// At the end of a round in which nobody was heard. An operator reads the last line.
    private func reportTroubles() {
        guard !isFresh else { return }
        let now = clocks.monotonic
        guard let text = shared.withLock({ $0.troubles.roundEnded(now: now) }) else { return }
        logger.warning("the cluster's leader is not heard", metadata: ["reason": "\(text)"])
    }

    /// What was said before would be the last line otherwise, and not true any more.
    private func reportHearing() {
        let wasSaid = shared.withLock { shared in
            defer { shared.troubles = Troubles() }
            return shared.troubles.saidText != nil
        }
        if wasSaid { logger.notice("the cluster's leader is heard") }
    }

    private enum Outcome {
        case heard
        case redirected(NodeID?)
        case failed(String)
    }

    private func watch(_ node: NodeID) async -> Outcome {
        let askedAt = clocks.monotonic
        let request = shared.withLock { shared in
            ProtoWatchRequest.with {
                $0.revision = shared.state.revision
                $0.livenessVersion = shared.livenessVersion
                $0.leaderTerm = shared.leaderTerm
                $0.waitMs = ClusterViewLimits.watchWaitMilliseconds
            }
        }
        do {
            let reply = try await pool.call(
                .watch, to: node, request, deadline: pool.now + ClusterViewLimits.watchDeadline,
                as: ProtoWatchReply.self)
            switch reply.status {
            case .done:
                take(reply, askedAt: askedAt)
                return .heard
            case .notLeader:
                let leader = NodeID(bytes: reply.leader)
                // Whoever was found may be the only one that was found.
                if let leader, !reply.leaderAddress.isEmpty {
                    addresses.set(reply.leaderAddress, of: leader)
                }
                return .redirected(leader)
            default: return .failed("the coordinator answered \(reply.status)")
            }
        } catch {
            return .failed("\(error)")
        }
    }

    /// What the leader said was true at some moment after it was asked: the view is as old as the
    /// question, not as the answer.
    private func take(_ reply: ProtoWatchReply, askedAt: MonotonicTime) {
        let (state, observers, due) = shared.withLock { shared in
            shared.heardAt = askedAt
            var isChanged = false
            if reply.hasChanges,
                reply.changes.revision > shared.state.revision || reply.changes.isFull
            {
                isChanged = true
                if !shared.state.apply(reply.changes) { shared.state = ClusterState() }
            }
            if !reply.liveness.isEmpty {
                isChanged = true
                shared.state.apply(reply.liveness)
            }
            shared.livenessVersion = reply.livenessVersion
            shared.leaderTerm = reply.leaderTerm
            let due = shared.waiters.filter { $0.value.predicate(shared.state) }
            for id in due.keys { shared.waiters[id] = nil }
            return (shared.state, isChanged ? shared.observers : [], due)
        }
        if !observers.isEmpty { addresses.set(state.nodes.values) }
        for observer in observers { observer(state) }
        for waiter in due.values { waiter.continuation.resume(returning: true) }
    }

    private func releaseAll() {
        let waiters = shared.withLock { shared in
            let waiters = shared.waiters
            shared.waiters = [:]
            return waiters
        }
        for waiter in waiters.values { waiter.continuation.resume(returning: false) }
    }

    // MARK: Finding coordinators

    /// Coordinators to ask, those first that were found last.
    var coordinators: [NodeID] {
        let known = shared.withLock { $0.state }.nodes(of: .coordinator)
            .filter { $0.membership != .left }.map(\.id)
        let found = found.withLock { $0 }
        return found + known.filter { !found.contains($0) }
    }

    private let found = Mutex<[NodeID]>([])

    /// Nobody known answers: asks who is at the seeds.
    ///
    /// - Returns: Whether nobody is there either.
    private func askSeeds() async -> Bool {
        guard !isFresh else { return false }
        var nodes: [NodeID] = []
        for address in await seeds() {
            do {
                let answer = try await pool.call(
                    .formationProbe, address: address, ProtoProbeRequest(),
                    deadline: pool.now + ClusterViewLimits.watchDeadline, as: ProtoProbeReply.self)
                guard answer.peer.role == .coordinator else {
                    let text = "\(address): is a \(answer.peer.role.rawValue), not a coordinator"
                    shared.withLock { $0.troubles.add(text) }
                    continue
                }
                addresses.set(address, of: answer.peer.node)
                nodes.append(answer.peer.node)
            } catch {
                shared.withLock { $0.troubles.add("\(address): \(error)") }
            }
        }
        if nodes.isEmpty { return true }
        let isNews = found.withLock { found in
            defer { found = nodes }
            return found != nodes
        }
        return !isNews
    }
}
