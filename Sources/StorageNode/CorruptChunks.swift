import ChunkStore
import ClusterView
import Core
import Messages

/// Replaces copies that were found corrupt here by good ones of the other holders, whoever found
/// them: a gateway asks for that itself, but a node that copies a partition goes to another copy.
struct CorruptChunks: Sendable {
    let me: NodeID
    let store: ChunkStore
    let gate: WriteGate
    let puller: ChunkPuller
    let clocks: any Clocks

    /// Goes on until cancelled.
    func run() async throws {
        while !Task.isCancelled {
            try await clocks.sleep(for: StorageNodeLimits.corruptPause)
            for chunk in store.corruptChunks { await replace(chunk) }
        }
    }

    /// What could not be done is tried again in the next round, while the store names it.
    private func replace(_ chunk: ChunkID) async {
        let place = gate.map[chunk.partition]
        // A partition that moves is read anyway; afterwards it may be held elsewhere.
        guard place.nodes.contains(me), place.next.isEmpty else { return }
        let request = ProtoPullChunksRequest.with {
            $0.chunks = [chunk.data]
            $0.sources = place.nodes.filter { $0 != me }.map(\.data)
        }
        _ = try? await puller.pull(request)
    }
}
