import Core
import Foundation
import Logging
import Messages
import NIOCore
import ObjectStore
import Synchronization
import Wire

/// The storage nodes' door, over the node protocol, in callbacks: no task for a small object.
package final class ChunksOverWire: ChunkDoor {
    private let pool: WirePool
    private let clocks: any Clocks
    private let logger: Logger
    private let errands = Atomic<Int>(0)

    package init(pool: WirePool, clocks: any Clocks, logger: Logger) {
        self.pool = pool
        self.clocks = clocks
        self.logger = logger
    }

    private func nioDeadline(_ deadline: MonotonicTime) -> NIODeadline {
        let now = clocks.monotonic.milliseconds
        let left = deadline.milliseconds > now ? deadline.milliseconds - now : 0
        return pool.now + .milliseconds(Int64(left))
    }

    package func write(
        _ request: ChunkWriteRequest, to node: NodeID,
        onReply: @escaping @Sendable (ChunkWriteReply) -> Void
    ) -> any ChunkWriteStream {
        var message = ProtoWriteChunkRequest()
        message.chunk = Data(request.chunk.bytes)
        message.bytes = UInt32(request.sealedBytes)
        message.owner = Data(request.owner)
        message.epoch = request.epoch.rawValue
        let answer = Answer(onReply)
        let stream = pool.open(
            .chunkWrite, to: node, ByteBuffer(message: message),
            deadline: nioDeadline(request.deadline)
        ) { event in
            switch event {
            case .reply(let bytes): answer.give(ChunkWriteReply(bytes))
            case .bytes: answer.give(.lost("the node sent bytes where none belong"))
            case .end: answer.give(.lost("the node ended the call without an answer"))
            case .failed(let error): answer.give(ChunkWriteReply(error))
            }
        }
        return WriteStream(stream: stream)
    }

    package func fetch(
        _ request: ChunkFetchRequest, from node: NodeID,
        onDone: @escaping @Sendable (ChunkFetchReply) -> Void
    ) -> any ChunkFetch {
        var message = ProtoReadChunkRequest()
        message.chunk = Data(request.chunk.bytes)
        message.firstBlock = UInt32(request.blocks.lowerBound)
        message.blockCount = UInt32(request.blocks.count)
        let fetch = Fetch(onDone)
        let stream = pool.read(
            .chunkRead, to: node, ByteBuffer(message: message),
            deadline: nioDeadline(request.deadline)
        ) { fetch.take($0) }
        fetch.attach(stream)
        return fetch
    }

    package func discard(_ chunks: [ChunkID], on nodes: [NodeID]) {
        var message = ProtoDeleteChunksRequest()
        message.chunks = chunks.map { Data($0.bytes) }
        let bytes = ByteBuffer(message: message)
        for node in nodes { errand(.chunkDelete, to: node, bytes) }
    }

    package func report(
        badCopyOf chunk: ChunkID, on node: NodeID, goodSources sources: [NodeID]
    ) {
        logger.warning(
            "a copy of a chunk is missing or corrupt; it will be replaced",
            metadata: ["chunk": "\(chunk)", "node": "\(node)"])
        guard !sources.isEmpty else { return }
        var message = ProtoPullChunksRequest()
        message.chunks = [Data(chunk.bytes)]
        message.sources = sources.map { Data($0.bytes) }
        errand(.chunkPull, to: node, ByteBuffer(message: message))
    }

    /// A call whose answer changes nothing here; dropped when too many are under way.
    private func errand(_ method: Method, to node: NodeID, _ message: ByteBuffer) {
        guard errands.add(1, ordering: .relaxed).newValue <= GatewayLimits.chunkErrandsMax else {
            errands.subtract(1, ordering: .relaxed)
            return
        }
        let deadline = pool.now + GatewayLimits.chunkErrandDeadline
        pool.call(method, to: node, message, deadline: deadline) { [self] result in
            errands.subtract(1, ordering: .relaxed)
            guard case .failure(let error) = result else { return }
            logger.debug(
                "an errand was not run",
                metadata: ["method": "\(method)", "node": "\(node)", "error": "\(error)"])
        }
    }
}

/// Calls back once, whatever comes.
private final class Answer: Sendable {
    private let callback: Mutex<(@Sendable (ChunkWriteReply) -> Void)?>

    init(_ callback: @escaping @Sendable (ChunkWriteReply) -> Void) {
        self.callback = Mutex(callback)
    }

    func give(_ reply: ChunkWriteReply) {
        let callback = callback.withLock { $0.take() }
        callback?(reply)
    }
}

private struct WriteStream: ChunkWriteStream {
    let stream: ClientStream

    func enqueue(_ bytes: ByteBuffer, end: Bool) -> Bool { stream.enqueue(bytes, end: end) }
    func onWritable(_ body: @escaping @Sendable () -> Void) { stream.onWritable(body) }
    func cancel() { stream.cancel() }
}

extension ChunkWriteReply {
    fileprivate init(_ bytes: ByteBuffer) {
        guard let reply = bytes.decoded(as: ProtoWriteChunkReply.self) else {
            self = .lost("the node's answer could not be read")
            return
        }
        self = reply.status == .done ? .acked : .refused(reply.status)
    }

    fileprivate init(_ error: WireError) {
        guard case .remote(let failure) = error, !failure.mayHaveRun else {
            self = .lost("\(error)")
            return
        }
        // Stopping, overloaded, not in the cluster: nothing is there.
        self = .refused(.stopping)
    }
}
