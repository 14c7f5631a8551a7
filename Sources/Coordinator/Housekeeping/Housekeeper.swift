import Core
import Logging

/// Runs the workers of the ranges that this node leads, one round after another; quicker while
/// there is something to do.
struct Housekeeper: Sendable {
    let consensus: any Consensus
    let garbage: GarbageWorker
    let repairs: RepairWorker
    let fences: FenceWorker
    let clocks: any Clocks
    let logger: Logger

    static let idlePause = Duration.seconds(2)
    static let busyPause = Duration.milliseconds(100)

    /// Goes on until cancelled.
    func run() async throws {
        while !Task.isCancelled {
            var count = 0
            for range in consensus.ranges where range != .system && consensus.isLeader(range) {
                count += await attempt("garbage", range, garbage.round)
                count += await attempt("repair", range, repairs.round)
                count += await attempt("fences", range, fences.round)
            }
            try await clocks.sleep(for: count > 0 ? Self.busyPause : Self.idlePause)
        }
    }

    private func attempt(
        _ name: String, _ range: RangeID, _ round: (RangeID) async throws -> Int
    ) async -> Int {
        do {
            return try await round(range)
        } catch {
            logger.info(
                "housekeeping goes on later",
                metadata: ["work": "\(name)", "range": "\(range)", "reason": "\(error)"])
            return 0
        }
    }
}
