import Core
import Foundation
import RaftLog

/// One node of a simulated world: its machine, which stays, and the process on it, which comes and
/// goes.
///
/// `@unchecked Sendable`: confined to the thread of its ``SimulatedTime``.
final class SimulatedNode: @unchecked Sendable {
    let name: String
    let role: NodeRole
    let zone: String
    let address: String
    let time: SimulatedTime
    let network: SimulatedNetwork
    let home: String
    let settings: ClusterWorld.Settings
    let watch: ClusterWatch
    /// Of the Raft log; outlives the process.
    private(set) var logDisk = SimulatedDisk()
    /// Of a storage node's chunks, likewise.
    private(set) var chunkDisk = emptyDisk()
    /// Counts the directories that this machine's disk has been: a power cut leaves a new one.
    private(set) var generation = 0
    private(set) var process: SimulatedProcess?
    let driftMillionths: Int64
    private static let restartMilliseconds: UInt64 = 2_000

    init(
        _ name: String, _ role: NodeRole, _ time: SimulatedTime,
        _ network: SimulatedNetwork, _ watch: ClusterWatch, home: String,
        settings: ClusterWorld.Settings
    ) {
        self.watch = watch
        self.name = name
        self.role = role
        zone = "zone-\(ClusterWorld.zone(of: name))"
        self.time = time
        self.network = network
        self.home = home + "/" + name
        self.settings = settings
        address = "\(name):9000"
        let drift = settings.driftMillionthsMax
        driftMillionths = .random(in: -drift...drift, using: &time.random)
    }

    var directory: String { home + "/\(generation)" }
    var isUp: Bool { process != nil }

    static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// Every third read that might be cached is not.
    private static func emptyDisk() -> SimulatedChunkDisk {
        let disk = SimulatedChunkDisk()
        disk.with { $0.uncachedOneIn = 3 }
        return disk
    }

    func start() throws {
        precondition(process == nil, "\(name) runs")
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
        process = try SimulatedProcess(self)
    }

    /// A service manager starts what ended by itself, after a pause.
    func ended(_ ended: SimulatedProcess) {
        time.after(SimulatedTime.milliseconds(Self.restartMilliseconds)) { [self] in
            guard process === ended else { return }
            do {
                try crash(losesPower: false)
                try start()
            } catch {
                watch.failed("\(name) does not start again: \(error)")
            }
        }
    }

    /// kill -9, or the power goes: the disk keeps what it had to.
    func crash(losesPower: Bool) throws(PowerCutError) {
        guard let process else { return }
        self.process = nil
        let before = directory
        generation += 1
        let deadDisk = chunkDisk
        if losesPower {
            try SimulatedFiles.powerCut(from: before, to: directory, using: &time.random)
            logDisk.crash(using: &time.random)
            let loss = PowerLoss.allCases.randomElement(using: &time.random) ?? .random
            chunkDisk = chunkDisk.crashed(loss, using: &time.random)
        } else {
            try SimulatedFiles.copy(from: before, to: directory)
            chunkDisk = chunkDisk.killed()
        }
        end(process, deadDisk, losesPower: losesPower)
        try? FileManager.default.removeItem(atPath: before)
    }

    // MARK: The disk

    func fillDisk() {
        chunkDisk.fill()
        logDisk.setFreeBytes(0)
        logDisk.failWrite(after: .random(in: 1...8, using: &time.random))
        SimulatedFiles.setFaults(DiskFaults(bytesLeft: 0), under: home)
    }

    /// From a moment on no sync succeeds.
    func failDisk() {
        chunkDisk.with { $0.failsSyncs = true }
        logDisk.failSync(after: .random(in: 1...8, using: &time.random))
        SimulatedFiles.setFaults(DiskFaults(failsSyncs: true), under: home)
    }

    func healDisk() {
        chunkDisk.heal()
        logDisk.heal()
        SimulatedFiles.liftFaults(under: home)
    }

    /// The machine is gone, and with it what its disk held; another of its name takes its place.
    func wipe() {
        guard let process else { return }
        self.process = nil
        let (before, deadDisk) = (directory, chunkDisk)
        generation += 1
        logDisk = SimulatedDisk()
        chunkDisk = Self.emptyDisk()
        end(process, deadDisk, losesPower: true)
        try? FileManager.default.removeItem(atPath: before)
    }

    /// The world ends.
    func end() {
        process?.end()
        process = nil
        SimulatedFiles.liftFaults(under: home)
        logDisk = SimulatedDisk()
        chunkDisk.unplug()
    }

    private func end(
        _ process: SimulatedProcess, _ deadDisk: SimulatedChunkDisk, losesPower: Bool
    ) {
        deadDisk.unplug()
        process.end()
        network.silence(address, name, resets: !losesPower)
    }
}
