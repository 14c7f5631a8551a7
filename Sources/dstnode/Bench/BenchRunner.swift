import Core
import NIOCore
import NIOPosix
import S3

/// Runs phases on all lanes and measures around them.
struct BenchRunner: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let lanes: [NIOLoopBound<BenchLane>]
    private let loops: [any EventLoop]
    private let serverPIDs: [Int32]

    /// - Parameters:
    ///   - addresses: Gateways; lanes take them in turn.
    ///   - laneCount: Threads of the client.
    init(
        addresses: [HostPort], bucket: String, signer: SigV4Signer, laneCount: Int,
        serverPIDs: [Int32], run: UInt64
    ) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: laneCount)
        self.group = group
        self.serverPIDs = serverPIDs
        var lanes: [NIOLoopBound<BenchLane>] = []
        var loops: [any EventLoop] = []
        for (index, loop) in group.makeIterator().enumerated() {
            let address = addresses[index % addresses.count]
            let lane = try await loop.submit {
                let work = BenchWork(
                    lane: index, host: "\(address)", bucket: bucket, signer: signer, run: run)
                return NIOLoopBound(
                    BenchLane(loop: loop, address: address, work: work), eventLoop: loop)
            }.get()
            lanes.append(lane)
            loops.append(loop)
        }
        self.lanes = lanes
        self.loops = loops
    }

    func shutdown() async throws { try await group.shutdownGracefully() }

    /// Objects of the size that are stored.
    func storedCount(ofSize bytes: Int) async throws -> Int {
        var count = 0
        for (lane, loop) in zip(lanes, loops) {
            count += try await loop.submit { lane.value.storedCount(ofSize: bytes) }.get()
        }
        return count
    }

    /// Runs a phase; shows progress on a terminal.
    func run(_ phase: BenchPhase, name: String) async throws -> BenchResult {
        let isMeasured = phase.countMax == nil
        let futures = zip(lanes, loops).enumerated().map { index, pair in
            var share = phase
            share.connections =
                phase.connections / lanes.count + (index < phase.connections % lanes.count ? 1 : 0)
            share.countMax = phase.countMax.map { max(1, $0 / lanes.count) }
            let (lane, loop) = pair
            let own = share
            return loop.flatSubmit { lane.value.run(own) }
        }
        let watcher = Task { try await watch(phase, name: name) }
        defer { watcher.cancel() }
        if isMeasured { try await Task.sleep(for: phase.warmUp) }
        let clock = ContinuousClock()
        let began = clock.now
        let serverBefore = ProcessUsage.cpuMilliseconds(of: serverPIDs)
        let clientBefore = ProcessUsage.ownCPUMilliseconds()
        var tallies: [BenchTally] = []
        for future in futures { tallies.append(try await future.get()) }
        let elapsed = began.duration(to: clock.now)
        watcher.cancel()
        // What it asks the loops must be answered before somebody shuts them down.
        _ = await watcher.result
        Terminal.endProgress()
        return BenchResult(
            phase: phase, tallies: tallies,
            seconds: max(0.001, Double(elapsed.nanoseconds) / 1e9),
            serverCPU: serverPIDs.isEmpty
                ? nil : ProcessUsage.cpuMilliseconds(of: serverPIDs) - serverBefore,
            serverResidentBytes: serverPIDs.isEmpty
                ? nil : ProcessUsage.residentBytes(of: serverPIDs),
            clientCPU: ProcessUsage.ownCPUMilliseconds() - clientBefore)
    }

    private func watch(_ phase: BenchPhase, name: String) async throws {
        let clock = ContinuousClock()
        let began = clock.now
        var last = 0
        while true {
            try await Task.sleep(for: .milliseconds(500))
            var done = 0
            for (lane, loop) in zip(lanes, loops) {
                done += try await loop.submit { lane.value.doneCount }.get()
            }
            let seconds = began.duration(to: clock.now).components.seconds
            Terminal.progress("\(name): \(seconds) s, \(done) done, \((done - last) * 2)/s")
            last = done
        }
    }
}
