import ClusterView
import Core
import Messages
import NIOCore
import Wire

/// The map as the system range's leader has it now. A mirror may be behind: what was done by it is
/// done only if the map still says the same.
struct NewestMap: Sendable {
    let consensus: any Consensus
    let mirror: SystemMirror
    let pool: WirePool
    let clocks: any Clocks

    static let callDeadline = TimeAmount.seconds(10)

    /// - Parameter state: What is known; what has changed since is added.
    /// - Throws: Where the leader does not answer.
    func state(since state: ClusterState) async throws -> ClusterState {
        let query = ProtoSystemQuery.with { $0.getChanges.since = state.revision }
        let client = CatalogueClient(pool: pool, clocks: clocks) { [mirror] in
            mirror.state.nodes(of: .coordinator).map(\.id)
        }
        let answer: ProtoSystemAnswer
        let outcome = await consensus.query(
            .system, try query.serializedBytes(), deadline: pool.now + Self.callDeadline)
        if case .done(let bytes) = outcome {
            answer = try ProtoSystemAnswer(serializedBytes: bytes)
        } else {
            answer = try await client.query(
                query, of: .system, deadline: pool.now + Self.callDeadline)
        }
        var newest = state
        guard newest.apply(answer.changes) else {
            throw SystemMirrorError.unanswered("the system range holds what cannot be read")
        }
        return newest
    }
}
