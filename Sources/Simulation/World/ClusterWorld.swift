import Catalogue
import Coordinator
import Core
import Foundation
import Logging

/// A whole cluster in one thread: real coordinators, storage nodes, and gateways up to their HTTP.
///
/// `@unchecked Sendable`: confined to the thread that made it.
package final class ClusterWorld: @unchecked Sendable {
    package struct Settings: Sendable {
        package var coordinatorCount = 3
        /// Coordinators that form the cluster, which the others join.
        package var founderCount = 3
        package var storageCount = 5
        package var gatewayCount = 2
        package var rangeCount = 4
        package var replicationFactor = 3
        package var repairDelayMilliseconds: Int64 = 20_000
        package var garbageGraceMilliseconds: Int64 = 10_000
        package var sweepAgeMilliseconds: Int64 = 60_000
        /// Whether chunks that nothing names are looked for; garbage must go without it as well.
        package var sweeps = true
        /// Entries of a range that its log keeps for coordinators that were away.
        package var keptEntries = RaftHostLimits.entriesKeptMax
        package var capacityBytes = 1 << 30
        /// How fast or slow clocks are, at most.
        package var driftMillionthsMax: Int64 = 200
        package var logLevel = Logger.Level.critical
        package init() {}

        var seeds: [String] { (1...coordinatorCount).map { "coordinator-\($0):9000" } }

        /// Longer than any world lives where nothing is swept.
        var effectiveSweepAge: Int64 { sweeps ? sweepAgeMilliseconds : 86_400_000 }
    }

    package let seed: UInt64
    package let scenario: Scenario
    package let time: SimulatedTime
    let network: SimulatedNetwork
    let watch = ClusterWatch()
    private(set) var nodes: [SimulatedNode] = []
    private let home: String
    private var settings: Settings { scenario.settings }

    /// Where worlds are best kept: in memory, where the machine has such a place.
    package static var defaultDirectory: String {
        let memory = "/dev/shm"
        return access(memory, W_OK) == 0 ? memory : FileManager.default.temporaryDirectory.path
    }

    /// By the number in its name, as in `storage-4`.
    static func zone(of name: String) -> Int {
        (name.split(separator: "-").last.flatMap { Int($0) } ?? 0) % 3
    }

    /// - Parameter directory: Exists; a directory in it is made for this world, and removed by
    ///   ``end()``.
    package init(
        seed: UInt64, _ scenario: Scenario, in directory: String = defaultDirectory
    ) {
        SimulatedFiles.install()
        FileSync.observer.withLock {
            $0 = { operation, isDone in
                if isDone, case .sync(let path) = operation { SimulatedFiles.synced(path: path) }
            }
        }
        SimulatedFiles.seed(seed)
        self.seed = seed
        self.scenario = scenario
        home = directory + "/world-\(seed)-\(ProcessInfo.processInfo.processIdentifier)"
        let time = SimulatedTime(seed: seed)
        let network = SimulatedNetwork(time)
        (self.time, self.network) = (time, network)
        add(.coordinator, settings.coordinatorCount)
        add(.storage, settings.storageCount)
        add(.gateway, settings.gatewayCount)
    }

    private func add(_ role: NodeRole, _ count: Int) {
        for number in 1...count {
            nodes.append(
                SimulatedNode(
                    "\(role.rawValue)-\(number)", role, time, network, watch, home: home,
                    settings: settings))
        }
    }

    /// What tasks of the world still hold when it ends is never freed, for they never go on: so
    /// what is large is emptied.
    package func end() {
        for node in nodes { time.perform { node.end() } }
        time.clear()
        nodes = []
        try? FileManager.default.removeItem(atPath: home)
    }

    package func startAll() throws {
        try time.perform { for node in nodes { try node.start() } }
    }

    /// Runs until all nodes say that they are ready.
    ///
    /// - Returns: Milliseconds it took; `nil`: not within `milliseconds`.
    package func runUntilReady(atMost milliseconds: UInt64) -> UInt64? {
        runUntil(atMost: milliseconds, asking: 100) { self.areAllReady() }
    }

    /// - Parameter pause: Milliseconds between two looks.
    /// - Returns: Milliseconds until the condition held; `nil`: it did not.
    func runUntil(
        atMost milliseconds: UInt64, asking pause: UInt64, _ condition: () -> Bool
    ) -> UInt64? {
        let begun = time.now
        let end = begun + SimulatedTime.milliseconds(milliseconds)
        while time.now < end, !time.isSpinning {
            if condition() { return (time.now - begun) / 1_000_000 }
            time.run(until: time.now + SimulatedTime.milliseconds(pause))
        }
        return nil
    }

    /// Nodes that are meant to be there.
    var wanted: [SimulatedNode] { nodes.filter { !watch.lost.contains($0.name) } }

    private func areAllReady() -> Bool {
        wanted.allSatisfy { node in
            guard let process = node.process else { return false }
            return answer { await process.unreadiness() } == .some(nil)
        }
    }

    /// Why nodes are not ready.
    func complaints() -> String {
        wanted.compactMap { node in
            guard let process = node.process else { return "\(node.name): down" }
            if let failure = process.failure { return "\(node.name): ended: \(failure)" }
            guard let answer = answer({ await process.unreadiness() }) else {
                return "\(node.name): does not answer"
            }
            return answer.map { "\(node.name): \($0)" }
        }.joined(separator: "; ")
    }

    func inspect(isDeep: Bool = false) -> WorldInspection {
        WorldInspection(wanted, settings, watch, isDeep: isDeep)
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
