import Catalogue
import Core
import Raft
import Synchronization

/// One group's state machine and the thread that changes it: takes all committed entries that wait
/// and applies them in one transaction.
final class ApplyLane: Sendable {
    struct Item: Sendable {
        var entry: RaftEntry
        /// Told the result, on the thread.
        var done: ConsensusCompletion?
    }

    enum Job: Sendable {
        case apply([Item])
        case checkpoint
        case install(ReceivedSnapshot)
    }

    enum Report: Hashable, Sendable {
        case applied(LogPosition)
        case checkpointed(durable: LogIndex)
        case installed(SnapshotMark)
    }

    private struct State {
        var jobs: [Job] = []
        var isScheduled = false
        var isEnded = false
    }

    let range: RangeID
    let store: any CatalogueStore
    private let thread: DiskThread
    private let inbox: HostInbox
    private let observer: any ConsensusObserver
    private let state = Mutex(State())
    /// What the store's note says, or will once the next batch is applied.
    private let note: Mutex<StoreNote>

    init(
        range: RangeID, store: any CatalogueStore, note: StoreNote, inbox: HostInbox,
        observer: any ConsensusObserver
    ) {
        self.range = range
        self.store = store
        self.note = Mutex(note)
        self.inbox = inbox
        self.observer = observer
        self.thread = DiskThread(name: "apply-\(range.rawValue)", jobCountMax: 16)
    }

    func submit(_ job: Job) {
        let (isTaken, isFirst) = state.withLock { state -> (Bool, Bool) in
            if state.isEnded { return (false, false) }
            state.jobs.append(job)
            guard !state.isScheduled else { return (true, false) }
            state.isScheduled = true
            return (true, true)
        }
        if isFirst { _ = thread.offer { self.run() } }
        if !isTaken { Self.drop([job]) }
    }

    /// Committed, but not applied here any more: another node's answer, or a repeat, will tell.
    private static func drop(_ jobs: [Job]) {
        for case .apply(let items) in jobs {
            for item in items { item.done?(.uncertain) }
        }
    }

    /// What waits is not applied any more. Returns when the thread has ended.
    ///
    /// - Parameter isClosing: Close the store too, after what runs.
    func end(isClosing: Bool) async {
        Self.drop(takeAll())
        try? await thread.run { [store] in if isClosing { store.close() } }
        thread.stop()
    }

    /// Ends the lane, and gives back what waited in it.
    private func takeAll() -> [Job] {
        state.withLock { state in
            state.isEnded = true
            let jobs = state.jobs
            state.jobs = []
            return jobs
        }
    }

    // MARK: On the thread

    private func run() {
        while true {
            let jobs = state.withLock { state -> [Job] in
                var jobs: [Job] = []
                if !state.isEnded { swap(&jobs, &state.jobs) }
                if jobs.isEmpty { state.isScheduled = false }
                return jobs
            }
            if jobs.isEmpty { return }
            do {
                try perform(jobs)
            } catch {
                // Nothing is applied here any more: who waits, or comes yet, hears so.
                Self.drop(takeAll())
                inbox.post(.failed("the catalogue of \(range) failed: \(error)"))
                return
            }
        }
    }

    private func perform(_ jobs: [Job]) throws(CatalogueError) {
        var items: [Item] = []
        for (number, job) in jobs.enumerated() {
            if case .apply(let more) = job {
                items.append(contentsOf: more)
                continue
            }
            do throws(CatalogueError) {
                try apply(items)
                items = []
                if case .install(let snapshot) = job {
                    try install(snapshot)
                } else {
                    try checkpoint()
                }
            } catch {
                Self.drop(Array(jobs[(number + 1)...]))
                throw error
            }
        }
        try apply(items)
    }

    private func checkpoint() throws(CatalogueError) {
        let durable = try store.checkpoint()
        inbox.post(.applied(range, .checkpointed(durable: LogIndex(rawValue: durable))))
    }

    private func apply(_ items: [Item]) throws(CatalogueError) {
        guard let last = items.last?.entry.position else { return }
        let note = note.withLock { note -> StoreNote? in
            var next = note
            next.term = last.term
            for item in items {
                if case .membership(let membership) = item.entry.payload {
                    next.membership = membership
                }
            }
            defer { note = next }
            return next == note ? nil : next
        }
        let entries = items.map {
            CatalogueEntry(index: $0.entry.index.rawValue, payload: $0.entry.command)
        }
        let results: [[UInt8]]
        do throws(CatalogueError) {
            results = try store.apply(entries, note: note?.bytes)
        } catch {
            Self.drop([.apply(items)])
            throw error
        }
        precondition(results.count == items.count, "one result for each entry")
        inbox.post(.applied(range, .applied(last)))
        let answers = Mutation.isOn(.swapAnswers) ? results.reversed() : results
        for (item, result) in zip(items, answers) { item.done?(.done(result)) }
        observer.applied(range, index: last.index.rawValue)
    }

    private func install(_ snapshot: ReceivedSnapshot) throws(CatalogueError) {
        let found = try store.install(snapshot: snapshot.path)
        let index = snapshot.mark.position.index.rawValue
        let expected = StoreNote(
            term: snapshot.mark.position.term, membership: snapshot.mark.membership)
        guard found.appliedIndex == index, StoreNote(bytes: found.note) == expected else {
            throw .damaged(
                path: snapshot.path,
                detail: "a snapshot at \(found.appliedIndex) came as \(snapshot.mark.position)")
        }
        note.withLock { $0 = expected }
        inbox.post(.applied(range, .installed(snapshot.mark)))
        observer.applied(range, index: index)
    }
}

extension RaftEntry {
    /// What the state machine sees: nothing of Raft's own entries.
    fileprivate var command: [UInt8] {
        if case .command(let bytes) = payload { bytes } else { [] }
    }
}
