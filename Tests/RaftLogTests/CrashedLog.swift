import Core
import Raft
import Simulation

@testable import RaftLog

/// A log that is worked with while its disk keeps every point at which the power may go, and what
/// the log may hold after each.
final class CrashedLog {
    static let segmentBytes = 16 << 10

    let disk = JournalDisk()
    let log: RaftLog
    private(set) var model = LogModel()
    /// All states of the log in the order in which they were asked for.
    private var states = [LogModel()]
    private var promises: [Promise] = []

    /// What a power cut must and may leave.
    private struct Promise {
        /// States from the last that was acknowledged to the last that was asked for.
        var states: ClosedRange<Int>
        /// A call that may be done in part, between any of its items, or `false`: the last alone.
        var isCut: Bool
    }

    init() throws {
        promises.append(Promise(states: 0...0, isCut: false))
        log = try RaftLog(disk: disk, segmentBytes: Self.segmentBytes, seed: 1)
    }

    private func note(from first: Int? = nil) {
        let first = first ?? promises[promises.count - 1].states.lowerBound
        promises.append(Promise(states: first...states.count - 1, isCut: false))
        disk.note(promises.count - 1)
    }

    func perform(_ operation: LogOperation) throws {
        let before = states.count
        var next = model
        for step in Self.pieces(of: operation) {
            next.apply(step)
            states.append(next)
        }
        note()
        do throws(RaftLogError) {
            try operation.perform(on: log)
            model = next
        } catch {
            guard error == .full else { throw error }
            // As it was; what a record of the call may have brought is still possible.
            precondition(before > 0)
            states.append(model)
            note()
        }
    }

    /// A call is one record unless it is long.
    private static func pieces(of operation: LogOperation) -> [LogOperation] {
        guard case .append(let writes) = operation else { return [operation] }
        let bytes = writes.reduce(0) { sum, write in
            write.entries.reduce(sum + 40) { $0 + LogItem.entry(write.range, $1).byteCount }
        }
        return bytes > segmentBytes / 4 ? LogModel.steps(of: operation) : [operation]
    }

    func append(_ writes: GroupWrite...) throws { try perform(.append(writes)) }

    func sync() throws {
        try log.sync()
        note(from: states.count - 1)
    }

    // MARK: After a cut

    /// - Returns: Whether the log may hold `found` after a cut at `point`.
    func isPossible(_ found: LogModel, at point: JournalDisk.Point) -> Bool {
        states[promises[point.note].states].contains(found)
    }

    /// What is promised at `point`: for failures.
    func promise(at point: JournalDisk.Point) -> String {
        let range = promises[point.note].states
        return "states \(range.lowerBound) to \(range.upperBound)"
    }

    /// Opens what a power cut left.
    static func open(_ disk: JournalDisk) throws -> LogModel {
        try LogModel.read(RaftLog(disk: disk, segmentBytes: segmentBytes, seed: 2))
    }
}
