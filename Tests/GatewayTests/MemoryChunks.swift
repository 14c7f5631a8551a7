import Core
import NIOCore
import ObjectStore
import Synchronization

/// Storage nodes that never fail: a dictionary.
final class MemoryChunks: ChunkDoor {
    private struct Place: Hashable {
        let chunk: ChunkID
        let node: NodeID
    }

    private let chunks = Mutex<[Place: [UInt8]]>([:])

    var count: Int { chunks.withLock { $0.count } }

    func write(
        _ request: ChunkWriteRequest, to node: NodeID,
        onReply: @escaping @Sendable (ChunkWriteReply) -> Void
    ) -> any ChunkWriteStream {
        MemoryWrite { [self] bytes in
            chunks.withLock { $0[Place(chunk: request.chunk, node: node)] = bytes }
            let isWhole = bytes.count == request.sealedBytes
            Task { onReply(isWhole ? .acked : .refused(.invalid)) }
        }
    }

    func fetch(
        _ request: ChunkFetchRequest, from node: NodeID,
        onDone: @escaping @Sendable (ChunkFetchReply) -> Void
    ) -> any ChunkFetch {
        let sealed = chunks.withLock { $0[Place(chunk: request.chunk, node: node)] }
        Task {
            guard let sealed else {
                return onDone(ChunkFetchReply(pieces: [], failure: .notFound))
            }
            let block = Limits.sealedBlockBytes
            let from = min(request.blocks.lowerBound * block, sealed.count)
            let to = min(request.blocks.upperBound * block, sealed.count)
            let pieces = [ByteBuffer(bytes: sealed[from..<to])]
            onDone(ChunkFetchReply(pieces: pieces, failure: nil))
        }
        return MemoryFetch()
    }

    func discard(_ gone: [ChunkID], on nodes: [NodeID]) {
        chunks.withLock { chunks in
            for chunk in gone {
                for node in nodes { chunks[Place(chunk: chunk, node: node)] = nil }
            }
        }
    }

    func report(badCopyOf chunk: ChunkID, on node: NodeID, goodSources sources: [NodeID]) {}
}

private final class MemoryWrite: ChunkWriteStream {
    private let bytes = Mutex<[UInt8]>([])
    private let onEnd: @Sendable ([UInt8]) -> Void

    init(onEnd: @escaping @Sendable ([UInt8]) -> Void) { self.onEnd = onEnd }

    func enqueue(_ piece: ByteBuffer, end: Bool) -> Bool {
        let all = bytes.withLock { bytes in
            bytes += piece.readableBytesView
            return bytes
        }
        if end { onEnd(all) }
        return true
    }

    func onWritable(_ body: @escaping @Sendable () -> Void) { Task { body() } }
    func cancel() {}
}

private struct MemoryFetch: ChunkFetch {
    func cancel() {}
}
