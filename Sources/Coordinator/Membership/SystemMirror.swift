import ClusterView
import Core
import Messages
import NIOCore
import Synchronization

/// This coordinator's copy of the system range's state, read from its own replica after each
/// applied batch. It may be behind the leader's; whoever leads is at most as far behind as its own
/// apply.
final class SystemMirror: Sendable {
    private let consensus: any Consensus
    private let addresses: AddressBook
    private let clocks: any Clocks
    private let shared = Mutex(ClusterState())

    init(consensus: any Consensus, addresses: AddressBook, clocks: any Clocks) {
        self.clocks = clocks
        self.consensus = consensus
        self.addresses = addresses
    }

    var state: ClusterState { shared.withLock { $0 } }

    /// Waits until the copy is as new as `revision`; bounded, for the caller acts on what it sees.
    func reached(revision: UInt64) async {
        for _ in 0..<200 where state.revision < revision {
            try? await clocks.sleep(for: .milliseconds(10))
        }
    }

    /// Reads what is new. Called by one task.
    func refresh() async throws {
        let since = shared.withLock { $0.revision }
        let query = try ProtoSystemQuery.with { $0.getChanges.since = since }
            .serializedData()
        let answer = try ProtoSystemAnswer(
            serializedBytes: try await consensus.localAnswer(.system, Array(query)))
        guard answer.failure == .none else {
            throw SystemMirrorError.unanswered("\(answer.failure): \(answer.detail)")
        }
        let isTaken = shared.withLock { state in
            if state.apply(answer.changes) { return true }
            state = ClusterState()
            return false
        }
        guard isTaken else {
            throw SystemMirrorError.unanswered("the system range holds what cannot be read")
        }
        addresses.set(state.nodes.values)
    }
}

/// Why the copy is not up to date; the caller logs and tries again.
enum SystemMirrorError: Error, Equatable {
    case unanswered(String)
}
