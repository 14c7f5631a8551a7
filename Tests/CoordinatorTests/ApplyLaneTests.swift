import Catalogue
import Core
import Dispatch
import Raft
import Synchronization
import Testing

@testable import Coordinator

/// A store whose disk fails while others wait for it.
private final class FailingStore: CatalogueStore {
    enum Failure: Sendable { case apply, checkpoint }

    private let failure: Failure
    private let isEntered = DispatchSemaphore(value: 0)
    private let mayGoOn = DispatchSemaphore(value: 0)
    private let isFirst = Atomic(true)

    init(_ failure: Failure) { self.failure = failure }

    /// Holds the first batch until ``goOn()``.
    func waitUntilEntered() { isEntered.wait() }
    func goOn() { mayGoOn.signal() }

    var appliedIndex: UInt64 { 0 }
    var durableIndex: UInt64 { 0 }
    var note: [UInt8] { [] }

    func apply(
        _ entries: [CatalogueEntry], note: [UInt8]?
    ) throws(CatalogueError) -> [[UInt8]] {
        if isFirst.exchange(false, ordering: .relaxed) {
            isEntered.signal()
            mayGoOn.wait()
            if failure == .checkpoint { return entries.map { _ in [7] } }
        }
        throw .full(path: "a")
    }

    func checkpoint() throws(CatalogueError) -> UInt64 { throw .full(path: "a") }
    func answer(_ query: [UInt8]) throws(CatalogueError) -> [UInt8] { [] }
    func writeSnapshot(to path: String) throws(CatalogueError) -> CatalogueSnapshot {
        throw .full(path: path)
    }
    func install(snapshot path: String) throws(CatalogueError) -> CatalogueSnapshot {
        throw .full(path: path)
    }
    func close() {}
}

struct ApplyLaneTests {
    private func entry(_ index: UInt64) -> RaftEntry {
        RaftEntry(
            term: Term(rawValue: 1), index: LogIndex(rawValue: index), payload: .command([1]))
    }

    @Test(arguments: [FailingStore.Failure.apply, .checkpoint])
    fileprivate func `whoever waits for a store that fails hears that it is uncertain`(
        failure: FailingStore.Failure
    ) async throws {
        let store = FailingStore(failure)
        let inbox = HostInbox {}
        let lane = ApplyLane(
            range: RangeID(rawValue: 1), store: store,
            note: StoreNote(
                term: Term(rawValue: 1), membership: Membership(voters: [NodeID(high: 0, low: 1)])),
            inbox: inbox, observer: LeadershipRelay())
        let heard = Mutex<[UInt64: [ConsensusOutcome]]>([:])
        let (told, continuation) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(100))
        func submit(_ index: UInt64) {
            let item = ApplyLane.Item(entry: entry(index)) { outcome in
                heard.withLock { $0[index, default: []].append(outcome) }
                continuation.yield()
            }
            lane.submit(.apply([item]))
        }
        submit(1)
        await onThread { store.waitUntilEntered() }
        // These wait while the first is applied, in one batch with a checkpoint between them.
        submit(2)
        lane.submit(.checkpoint)
        submit(3)
        lane.submit(.checkpoint)
        submit(4)
        store.goOn()
        var answers = told.makeAsyncIterator()
        for _ in 1...4 { await answers.next() }
        while !inbox.take().contains(where: { if case .failed = $0 { true } else { false } }) {
            try await Task.sleep(for: .milliseconds(1))
        }
        submit(5)
        await answers.next()
        await lane.end(isClosing: true)
        let outcomes = heard.withLock { $0 }
        #expect(outcomes.keys.sorted() == [1, 2, 3, 4, 5])
        for (index, told) in outcomes {
            let isApplied = failure == .checkpoint && index == 1
            #expect(told == [isApplied ? .done([7]) : .uncertain], "entry \(index)")
        }
    }

    /// Waiting for a semaphore is for threads of its own.
    private func onThread(_ body: @escaping @Sendable () -> Void) async {
        let thread = DiskThread(name: "test", jobCountMax: 1)
        _ = try? await thread.run { body() }
        thread.stop()
    }
}
