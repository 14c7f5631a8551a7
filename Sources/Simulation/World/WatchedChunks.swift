import Core
import ObjectStore

/// The chunks as a gateway sees them; what it says of bad copies is written down.
struct WatchedChunks: ChunkDoor {
    private let door: any ChunkDoor
    private let watch: ClusterWatch

    init(_ door: any ChunkDoor, _ watch: ClusterWatch) {
        self.door = door
        self.watch = watch
    }

    func write(
        _ request: ChunkWriteRequest, to node: NodeID,
        onReply: @escaping @Sendable (ChunkWriteReply) -> Void
    ) -> any ChunkWriteStream {
        door.write(request, to: node, onReply: onReply)
    }

    func fetch(
        _ request: ChunkFetchRequest, from node: NodeID,
        onDone: @escaping @Sendable (ChunkFetchReply) -> Void
    ) -> any ChunkFetch {
        door.fetch(request, from: node, onDone: onDone)
    }

    func discard(_ chunks: [ChunkID], on nodes: [NodeID]) { door.discard(chunks, on: nodes) }

    func report(badCopyOf chunk: ChunkID, on node: NodeID, goodSources sources: [NodeID]) {
        watch.badCopies.insert("\(chunk) on \(node)")
        door.report(badCopyOf: chunk, on: node, goodSources: sources)
    }
}
