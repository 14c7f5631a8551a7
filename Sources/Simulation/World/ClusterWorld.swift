import Catalogue
import Core
import Foundation
import Logging

/// A whole cluster in one thread: real coordinators, storage nodes, and gateways up to their HTTP.
///
/// `@unchecked Sendable`: confined to the thread that made it.
package final class ClusterWorld: @unchecked Sendable {
    package struct Settings: Sendable {
        package var coordinatorCount = 3
        package var storageCount = 5
        package var gatewayCount = 2
        package var rangeCount = 4
        package var repairDelayMilliseconds: Int64 = 20_000
        package var garbageGraceMilliseconds: Int64 = 10_000
        package var capacityBytes = 1 << 30
        package var logLevel = Logger.Level.critical
        package init() {}

        var seeds: [String] { (1...coordinatorCount).map { "coordinator-\($0):9000" } }
    }

    package let seed: UInt64
    package let time: SimulatedTime
    let network: SimulatedNetwork
    private(set) var nodes: [SimulatedNode] = []
    private let home: String

    /// - Parameter directory: Exists; a directory in it is made for this world, and removed by
    ///   ``end()``.
    package init(seed: UInt64, settings: Settings = Settings(), in directory: String) {
        SimulatedFiles.install()
        FileSync.observer.withLock {
            $0 = { operation, isDone in
                if isDone, case .sync(let path) = operation { SimulatedFiles.synced(path: path) }
            }
        }
        SimulatedFiles.seed(seed)
        self.seed = seed
        home = directory + "/world-\(seed)-\(ProcessInfo.processInfo.processIdentifier)"
        let time = SimulatedTime(seed: seed)
        let network = SimulatedNetwork(time)
        (self.time, self.network) = (time, network)
        func add(_ role: NodeRole, _ count: Int) {
            for number in 1...count {
                nodes.append(
                    SimulatedNode(
                        "\(role.rawValue)-\(number)", role, zone: "zone-\(number % 3)", time,
                        network, home: home, settings: settings))
            }
        }
        add(.coordinator, settings.coordinatorCount)
        add(.storage, settings.storageCount)
        add(.gateway, settings.gatewayCount)
    }

    package func end() {
        for node in nodes { time.perform { node.process?.end() } }
        try? FileManager.default.removeItem(atPath: home)
    }

    package func startAll() throws {
        try time.perform { for node in nodes { try node.start() } }
    }

    /// Runs until all nodes say that they are ready.
    ///
    /// - Returns: Milliseconds it took; `nil`: not within `milliseconds`.
    package func runUntilReady(atMost milliseconds: UInt64) -> UInt64? {
        let begun = time.now
        let end = begun + SimulatedTime.milliseconds(milliseconds)
        while time.now < end {
            if areAllReady() { return (time.now - begun) / 1_000_000 }
            time.run(until: time.now + SimulatedTime.milliseconds(100))
        }
        return nil
    }

    private func areAllReady() -> Bool {
        nodes.allSatisfy { node in
            guard let process = node.process else { return false }
            return answer { await process.unreadiness() } == .some(nil)
        }
    }

    /// One life of a world: it forms, clients work while things go wrong, all is mended, and then
    /// everything must be well and what clients were told must be explained.
    ///
    /// - Parameter milliseconds: Of trouble.
    /// - Throws: ``WorldViolation``.
    package func live(troubleFor milliseconds: UInt64) throws -> WorldReport {
        try startAll()
        guard let ready = runUntilReady(atMost: 60_000) else {
            throw violation("liveness: not ready within a minute: \(complaints())", [])
        }
        let clients = WorldClients(time, keys: 6) { [self] in
            nodes.compactMap { $0.process?.objects }
        }
        guard answer({ await clients.makeBucket() }) == true else {
            throw violation("liveness: no bucket could be made", [])
        }
        let trouble = WorldTrouble(time, network, nodes)
        time.perform {
            clients.start(6)
            trouble.begin()
        }
        time.run(until: time.now + SimulatedTime.milliseconds(milliseconds))
        if time.isSpinning { throw violation("a task spins: time stands still", trouble.diary) }
        time.perform { trouble.end() }
        if let failure = trouble.failure { throw violation(failure, trouble.diary) }
        guard let healed = runUntilReady(atMost: 90_000) else {
            throw violation(
                "liveness: not well 90 s after all was mended: \(complaints())", trouble.diary)
        }
        clients.stop()
        let end = time.now + SimulatedTime.milliseconds(120_000)
        guard time.run(until: end, isDone: { clients.runningCount == 0 }) else {
            throw violation("liveness: a client hangs", trouble.diary)
        }
        guard answer({ await clients.readAll() }) != nil else {
            throw violation("liveness: reading everything hangs", trouble.diary)
        }
        let violations = try LinearizabilityChecker().check(clients.history).map { "\($0)" }
        if let problem = (clients.problems + violations).first {
            throw violation(problem, trouble.diary)
        }
        return WorldReport(
            seed: seed, readyMilliseconds: ready, healedMilliseconds: healed,
            operationCount: clients.history.operations.count, operations: "\(clients.history)",
            disasterCount: trouble.diary.count, simulatedSeconds: time.now / 1_000_000_000,
            stepCount: time.stepCount, fingerprint: time.random.fingerprint)
    }

    private func violation(_ text: String, _ diary: [String]) -> WorldViolation {
        WorldViolation(seed: seed, milliseconds: time.now / 1_000_000, text: text, diary: diary)
    }

    /// Why nodes are not ready.
    private func complaints() -> String {
        nodes.compactMap { node in
            guard let process = node.process else { return "\(node.name): down" }
            if let failure = process.failure { return "\(node.name): ended: \(failure)" }
            guard let answer = answer({ await process.unreadiness() }) else {
                return "\(node.name): does not answer"
            }
            return answer.map { "\(node.name): \($0)" }
        }.joined(separator: "; ")
    }

    /// Runs a question in the world until it is answered.
    ///
    /// - Returns: `nil` where there is no answer within a simulated minute.
    func answer<Value: Sendable>(_ question: @escaping @Sendable () async -> Value) -> Value? {
        let box = Box<Value>()
        time.perform { _ = Task { box.value = await question() } }
        let end = time.now + SimulatedTime.milliseconds(60_000)
        time.run(until: end, isDone: { box.value != nil })
        return box.value
    }

    /// Confined to the world's thread.
    private final class Box<Value>: @unchecked Sendable { var value: Value? }
}
