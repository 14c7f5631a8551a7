import Core
import Synchronization

/// Collects work that one sync can serve: what comes while a group is on its way to the disk is the
/// next group. One thread, groups in order.
final class CommitQueue<Item: Sendable>: Sendable {
    private struct State {
        var waiting: [Item] = []
        var isScheduled = false
        var isClosed = false
        var commit: (@Sendable ([Item]) -> Void)?
    }

    private let thread: DiskThread
    private let state = Mutex(State())

    init(name: String) { thread = DiskThread(name: name, jobCountMax: 4) }

    func start(_ commit: @escaping @Sendable ([Item]) -> Void) {
        state.withLock { $0.commit = commit }
    }

    /// - Returns: `false` when ``ChunkStoreLimits/jobCountMax`` wait or the queue is closed.
    func offer(_ item: Item) -> Bool {
        let (isTaken, isFirst) = state.withLock { state -> (Bool, Bool) in
            if state.isClosed || state.waiting.count >= ChunkStoreLimits.jobCountMax {
                return (false, false)
            }
            state.waiting.append(item)
            defer { state.isScheduled = true }
            return (true, !state.isScheduled)
        }
        if isFirst { schedule() }
        return isTaken
    }

    private func schedule() {
        // Refused only where the queue was closed meanwhile: what was taken is still done.
        if !thread.offer({ [self] in run() }) { run() }
    }

    private func run() {
        while true {
            let (group, commit) = state.withLock { state in
                let group = state.waiting
                state.waiting = []
                if group.isEmpty { state.isScheduled = false }
                return (group, state.commit)
            }
            if group.isEmpty { return }
            commit?(group)
        }
    }

    /// Refuses new items and waits until those that wait are done.
    func close() async {
        state.withLock { $0.isClosed = true }
        await withCheckedContinuation { continuation in
            if !thread.offer({ continuation.resume() }) { continuation.resume() }
        }
        thread.stop()
    }
}
