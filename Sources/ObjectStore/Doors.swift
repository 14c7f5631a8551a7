import Core
import Messages
import NIOCore

// The narrow doors to the outside. Implemented over Wire by the gateway, in memory by tests.

/// Commands to and linearizable questions of the catalogue. The door finds the range and its leader
/// and repeats a command under its id until the deadline.
package protocol CatalogueDoor: Sendable {
    func propose(
        _ command: ProtoRangeCommand, bucket: BucketID, deadline: MonotonicTime
    ) async throws(CatalogueDoorError) -> ProtoRangeResult
    func query(
        _ query: ProtoRangeQuery, bucket: BucketID, deadline: MonotonicTime
    ) async throws(CatalogueDoorError) -> ProtoRangeAnswer
    func propose(
        system command: ProtoSystemCommand, deadline: MonotonicTime
    ) async throws(CatalogueDoorError) -> ProtoSystemResult
    func query(
        system query: ProtoSystemQuery, deadline: MonotonicTime
    ) async throws(CatalogueDoorError) -> ProtoSystemAnswer
}

package enum CatalogueDoorError: Error, Hashable, Sendable {
    /// Nothing was done, and will not be: no leader, no connection, overloaded. Try later.
    case unavailable(String)
    /// The command may have been applied, or may be yet.
    case uncertain(String)
}

/// What the gateway knows of the cluster by the watch.
package protocol ClusterDoor: Sendable {
    /// The latest state; cheap, asked for once or twice an operation.
    var snapshot: ClusterSnapshot { get }
    /// The bucket as last heard of. The range itself has the last word.
    func bucket(named name: String) -> BucketInfo?
}

/// One state of the cluster map and of the nodes' health. Copying costs three references.
package struct ClusterSnapshot: Sendable {
    package struct Partition: Hashable, Sendable {
        /// In order of preference: the first `replicationFactor` hold the copies.
        package var nodes: [NodeID]
        /// While it moves: the nodes it will have. No new chunks until that is done.
        package var next: [NodeID]
        package init(nodes: [NodeID], next: [NodeID] = []) {
            self.nodes = nodes
            self.next = next
        }
    }
    package struct Health: Hashable, Sendable {
        package enum State: Int, Sendable, Comparable {
            case up, suspect, down
            package static func < (left: Self, right: Self) -> Bool {
                left.rawValue < right.rawValue
            }
        }
        package var state: State
        /// Takes new chunks: a member, not draining, stopping, read-only or full.
        package var acceptsWrites: Bool
        package var isSameZone: Bool
        package init(state: State, acceptsWrites: Bool, isSameZone: Bool = false) {
            self.state = state
            self.acceptsWrites = acceptsWrites
            self.isSameZone = isSameZone
        }
    }
    package var epoch: Epoch
    package var replicationFactor: Int
    /// ``PartitionID/count`` of them, by number; none before the map exists.
    package var partitions: [Partition]
    package var health: [NodeID: Health]

    package init(
        epoch: Epoch, replicationFactor: Int, partitions: [Partition],
        health: [NodeID: Health]
    ) {
        precondition(partitions.isEmpty || partitions.count == PartitionID.count)
        self.epoch = epoch
        self.replicationFactor = replicationFactor
        self.partitions = partitions
        self.health = health
    }
}

/// Chunks on storage nodes. Callback forms, so that a small object costs no task: callbacks come on
/// any thread, never within the call itself, exactly once.
package protocol ChunkDoor: Sendable {
    /// Begins to write one chunk to one node; the sealed bytes follow on the stream.
    ///
    /// - Parameter onReply: the node's answer, or why there is none.
    func write(
        _ request: ChunkWriteRequest, to node: NodeID,
        onReply: @escaping @Sendable (ChunkWriteReply) -> Void
    ) -> any ChunkWriteStream

    /// Reads sealed blocks from one node into memory: at most ``ObjectStoreLimits/fetchBlocksMax``.
    ///
    /// - Parameter onDone: what came, also when it failed half-way.
    func fetch(
        _ request: ChunkFetchRequest, from node: NodeID,
        onDone: @escaping @Sendable (ChunkFetchReply) -> Void
    ) -> any ChunkFetch

    /// Deletes chunks that no object names, at most ``ObjectStoreLimits/discardedMax``, on these
    /// nodes: best effort, in the background, bounded.
    func discard(_ chunks: [ChunkID], on nodes: [NodeID])

    /// This node's copy is missing or corrupt: have it replaced from `sources`, and log it. Best
    /// effort, in the background, bounded.
    func report(badCopyOf chunk: ChunkID, on node: NodeID, goodSources sources: [NodeID])
}

package struct ChunkWriteRequest: Sendable {
    package let chunk: ChunkID
    package let sealedBytes: Int
    package let owner: [UInt8]
    package let epoch: Epoch
    /// For the whole of it, a slow client's sending included.
    package let deadline: MonotonicTime

    package init(
        chunk: ChunkID, sealedBytes: Int, owner: [UInt8], epoch: Epoch, deadline: MonotonicTime
    ) {
        self.chunk = chunk
        self.sealedBytes = sealedBytes
        self.owner = owner
        self.epoch = epoch
        self.deadline = deadline
    }
}

package enum ChunkWriteReply: Hashable, Sendable {
    /// On stable storage.
    case acked
    /// The node will not have it: full, stale epoch, stopping, a failed disk.
    case refused(ProtoChunkStatus)
    /// No answer: the node may or may not have it.
    case lost(String)
}

/// The bytes of one chunk on their way to one node. Any thread; one writer.
package protocol ChunkWriteStream: Sendable {
    /// Queues sealed bytes without waiting.
    /// - Returns: `false` when enough is queued: stop until ``onWritable(_:)`` calls.
    func enqueue(_ bytes: ByteBuffer, end: Bool) -> Bool
    /// Calls `body` once, when there is room again or the stream is over.
    func onWritable(_ body: @escaping @Sendable () -> Void)
    /// Gives up; the node forgets what it has. No effect once it is over.
    func cancel()
}

package struct ChunkFetchRequest: Sendable {
    package let chunk: ChunkID
    package let blocks: Range<Int>
    package let deadline: MonotonicTime

    package init(chunk: ChunkID, blocks: Range<Int>, deadline: MonotonicTime) {
        self.chunk = chunk
        self.blocks = blocks
        self.deadline = deadline
    }
}

package struct ChunkFetchReply: Sendable {
    /// Sealed bytes from the first block on, in order, in pieces of any size.
    package let pieces: [ByteBuffer]
    /// `nil`: all blocks came.
    package let failure: ChunkFetchFailure?
    package init(pieces: [ByteBuffer], failure: ChunkFetchFailure?) {
        self.pieces = pieces
        self.failure = failure
    }
}

package enum ChunkFetchFailure: Error, Hashable, Sendable {
    /// The node has no such chunk. It should: another copy is read, and this reported.
    case notFound
    /// The node says that its copy is corrupt. The same.
    case corrupt
    /// No (complete) answer in time. Another copy is read.
    case unreachable(String)
}

/// A fetch under way.
package protocol ChunkFetch: Sendable {
    /// Its answer is no longer wanted. ``ChunkDoor/fetch(_:from:onDone:)`` still calls back.
    func cancel()
}
