import Core
import NIOCore

/// The door through which Raft groups talk to other nodes.
package protocol RaftTransport: Sendable {
    /// Best effort, never blocking: a serialized `ProtoRaftBatch`. May be lost, doubled, late.
    func send(_ batch: ByteBuffer, to node: NodeID)

    /// Sends a serialized `ProtoRaftSnapshot`, then what `next` gives until it is `nil`. Returns
    /// when the receiver has stored all of it.
    func sendSnapshot(
        _ header: ByteBuffer, to node: NodeID, next: @Sendable () async throws -> ByteBuffer?
    ) async throws
}
