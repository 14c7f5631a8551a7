import Core
import Foundation
import Logging

/// A whole cluster in one thread: real coordinators, storage nodes, and gateways up to their HTTP.
package final class ClusterWorld {
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
