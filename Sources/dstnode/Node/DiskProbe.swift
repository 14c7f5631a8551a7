import Core
import Foundation
import Synchronization

/// Finds out whether the disk under the data directory still works: writes and syncs a small file
/// again and again. A disk that fails says so; one that hangs says nothing, which is noticed too.
///
/// A full disk has not failed: reads go on, and the roles refuse writes by themselves.
final class DiskProbe: Sendable {
    static let pause = Duration.seconds(10)
    /// Longer than a sync takes on a disk that is merely busy.
    static let patienceMilliseconds: UInt64 = 30_000

    private struct State {
        /// Of the probe that is under way.
        var beganAt: MonotonicTime?
        var failure: String?
    }

    private let clocks: any Clocks
    private let write: @Sendable () throws(DurableFileError) -> Void
    private let thread = DiskThread(name: "disk-probe", jobCountMax: 1)
    private let state = Mutex(State())

    /// - Parameter write: What is tried; blocks.
    init(clocks: any Clocks, write: @escaping @Sendable () throws(DurableFileError) -> Void) {
        self.clocks = clocks
        self.write = write
    }

    /// Probes by replacing a file.
    convenience init(_ directory: DataDirectory, clocks: any Clocks) {
        let path = directory.path(of: "node.json.probe")
        self.init(clocks: clocks) { () throws(DurableFileError) in
            try DurableFile.replace(path, with: Array("probe".utf8))
        }
    }

    deinit { thread.stop() }

    /// What is wrong with the disk, for operators; `nil` where nothing is known to be.
    var problem: String? {
        let state = state.withLock { $0 }
        if let failure = state.failure { return "the disk of DATA_PATH failed: \(failure)" }
        guard let beganAt = state.beganAt else { return nil }
        let age = clocks.monotonic.milliseconds - beganAt.milliseconds
        guard age >= Self.patienceMilliseconds else { return nil }
        return "the disk of DATA_PATH has not answered for \(age / 1000) s"
    }

    /// Probes until cancelled.
    func run() async {
        while !Task.isCancelled {
            begin()
            try? await Task.sleep(for: Self.pause)
        }
    }

    /// Begins a probe unless one is under way: a disk that hangs gets no second.
    func begin() {
        let now = clocks.monotonic
        let isFirst = state.withLock { state in
            if state.beganAt != nil { return false }
            state.beganAt = now
            return true
        }
        guard isFirst else { return }
        let isQueued = thread.offer { [self] in
            let failure = attempt()
            state.withLock { $0 = State(beganAt: nil, failure: failure) }
        }
        precondition(isQueued, "one probe is under way at a time, and the thread was not stopped")
    }

    private func attempt() -> String? {
        do {
            try write()
            return nil
        } catch {
            return Self.isFull(error.code) ? nil : "\(error)"
        }
    }

    static func isFull(_ code: Int32) -> Bool { code == ENOSPC || code == EDQUOT }
}
