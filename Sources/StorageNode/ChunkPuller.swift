import ChunkStore
import ClusterView
import Core
import Logging
import Messages
import NIOCore
import Wire

/// Copies chunks here from other nodes: single ones for repair, whole partitions for moves.
package struct ChunkPuller: Sendable {
    let store: ChunkStore
    let gate: WriteGate
    let pool: WirePool
    let logger: Logger
    /// Bounds the copies of all calls together.
    let slots: CopySlots
    let readBack: ReadBackChunks

    package init(
        store: ChunkStore, gate: WriteGate, pool: WirePool, clocks: any Clocks, logger: Logger
    ) {
        self.store = store
        self.gate = gate
        self.pool = pool
        self.logger = logger
        slots = CopySlots(count: StorageNodeLimits.copiesAtOnce)
        readBack = ReadBackChunks(clocks: clocks)
    }

    /// What came of one chunk.
    enum Outcome: Equatable {
        /// It is here, or deleted for good.
        case settled
        /// Every source was asked, and none has a good copy.
        case failed
        /// None gave it, and this one could not be asked: it may have a good copy.
        case unreachable(NodeID)
        /// This node can't take it.
        case refused(ProtoChunkStatus, String)
    }

    // MARK: Single chunks

    /// Copies each chunk unless a good copy is here already.
    func pull(_ request: ProtoPullChunksRequest) async throws -> ProtoPullChunksReply {
        let chunks = request.chunks.compactMap { ChunkID(bytes: $0) }
        guard chunks.count == request.chunks.count,
            chunks.count <= StorageNodeLimits.chunksPerPull
        else { throw WireFailure(.badRequest, "at most 100 chunks, of sixteen bytes each") }
        let sources = request.sources.compactMap { NodeID(bytes: $0) }
        var reply = ProtoPullChunksReply.with { $0.status = .done }
        for chunk in chunks {
            switch await pull(chunk, from: sources) {
            case .settled: break
            case .failed, .unreachable: reply.failed.append(chunk.data)
            case .refused(let status, let detail):
                reply.status = status
                reply.detail = detail
                return reply
            }
        }
        return reply
    }

    /// Reads a copy that is here, and replaces it if it is bad.
    ///
    /// - Parameter isKnownGood: Takes a copy that is here by its header.
    private func pull(
        _ chunk: ChunkID, from sources: [NodeID], isKnownGood: Bool = false
    ) async -> Outcome {
        await slots.take()
        defer { slots.give() }
        var replaces = false
        let isTrusted = isKnownGood || Mutation.isOn(.repairTrustsHeader)
        switch await local(chunk, verifying: !isTrusted) {
        case .good, .deleted: return .settled
        case .bad: replaces = true
        case .absent: break
        case .refused(let status, let detail): return .refused(status, detail)
        }
        var unasked: NodeID?
        for source in sources {
            switch await copy(chunk, from: source, replacing: replaces) {
            case .settled: return .settled
            case .failed: continue
            case .unreachable(let node): unasked = node
            case .refused(let status, let detail): return .refused(status, detail)
            }
        }
        return unasked.map { .unreachable($0) } ?? .failed
    }

    private enum Local {
        case good, bad, absent, deleted
        case refused(ProtoChunkStatus, String)
    }

    private func local(_ chunk: ChunkID, verifying: Bool) async -> Local {
        let store = self.store
        let result = await store.onReadThread { () throws(ChunkStoreError) in
            let reader = try store.open(chunk)
            guard verifying else { return }
            let size = StorageNodeLimits.blocksPerPiece
            for first in stride(from: 0, to: reader.blockCount, by: size) {
                _ = try reader.read(first..<min(first + size, reader.blockCount))
            }
        }
        switch result {
        case .success: return .good
        case .failure(.notFound): return .absent
        case .failure(.deleted): return .deleted
        case .failure(.corrupt): return .bad
        case .failure(let error):
            let status = ChunkStatus(error)
            return .refused(status.status, status.detail)
        }
    }

    private func copy(
        _ chunk: ChunkID, from source: NodeID, replacing: Bool
    ) async -> Outcome {
        let request = ProtoReadChunkRequest.with { $0.chunk = chunk.data }
        let stream = pool.open(
            .chunkRead, to: source, request,
            deadline: pool.now + StorageNodeLimits.copyDeadline)
        do {
            let head = try await stream.reply(as: ProtoReadChunkReply.self)
            switch head.status {
            case .done: break
            // The object is gone, and its chunks with it: nothing to copy any more.
            case .deleted: return .settled
            case .notFound, .corrupt, .invalid: return .failed
            default: return .unreachable(source)
            }
            return try await write(chunk, head, stream, replacing: replacing)
        } catch let error as ChunkStoreError {
            stream.cancel()
            if case .deleted = error { return .settled }
            let status = ChunkStatus(error)
            return .refused(status.status, status.detail)
        } catch {
            stream.cancel()
            logger.debug(
                "a chunk could not be copied",
                metadata: ["chunk": "\(chunk)", "from": "\(source)", "error": "\(error)"])
            return Self.isOfTheCopy(error) ? .failed : .unreachable(source)
        }
    }

    /// Whether asking again would end the same way: the copy there is bad in its middle.
    private static func isOfTheCopy(_ error: any Error) -> Bool {
        if case WireError.remote(let failure) = error { return failure.code == .internalError }
        return false
    }

    private func write(
        _ chunk: ChunkID, _ head: ProtoReadChunkReply, _ stream: ClientStream, replacing: Bool
    ) async throws -> Outcome {
        let store = self.store
        let begun = await store.onWriteThread(for: chunk) { () throws(ChunkStoreError) in
            try store.beginWrite(
                chunk, bytes: Int(head.chunkBytes), owner: Array(head.owner),
                replacing: replacing)
        }
        guard let write = try begun.get() else {
            stream.cancel()
            return .settled
        }
        do {
            while let bytes = try await stream.next() {
                let result = await store.onWriteThread(for: chunk) {
                    () throws(ChunkStoreError) in
                    let result = bytes.withUnsafeReadableBytes { raw in
                        Result { () throws(ChunkStoreError) in try write.append(raw) }
                    }
                    try result.get()
                }
                try result.get()
            }
            _ = try await write.commit()
            return .settled
        } catch {
            write.abort()
            throw error
        }
    }

    // MARK: Partitions

    /// Brings everything here that any source has of a partition. The move is committed on the
    /// strength of the answer, and the sources drop their copies after it: so what is here already
    /// is read, not only looked up. That costs one reading of what this node has of the partition.
    func pullPartition(
        _ request: ProtoPullPartitionRequest
    ) async throws -> ProtoPullPartitionReply {
        guard let partition = PartitionID(rawValue: UInt16(clamping: request.partition)) else {
            throw WireFailure(.badRequest, "there is no partition \(request.partition)")
        }
        let sources = request.sources.compactMap { NodeID(bytes: $0) }
        var reply = ProtoPullPartitionReply.with { $0.status = .done }
        var holders: [ChunkID: [NodeID]] = [:]
        for source in sources {
            let listed = await list(partition, on: source, epoch: request.epoch)
            guard let listed else {
                reply.unreachable.append(source.data)
                continue
            }
            for chunk in listed { holders[chunk, default: []].append(source) }
        }
        let outcomes = await copyAll(holders)
        reply.chunksCopied = UInt64(outcomes.count { $0.value == .settled })
        for (chunk, outcome) in outcomes {
            switch outcome {
            case .settled: break
            case .failed:
                if reply.failed.count < StorageNodeLimits.failedNamesMax {
                    reply.failed.append(chunk.data)
                }
            case .unreachable(let node):
                if !reply.unreachable.contains(node.data) { reply.unreachable.append(node.data) }
            case .refused(let status, let detail):
                reply.status = status
                reply.detail = detail
            }
        }
        return reply
    }

    func copyAll(_ holders: [ChunkID: [NodeID]]) async -> [ChunkID: Outcome] {
        var rest = holders
        return await withTaskGroup(of: (ChunkID, Outcome).self) { group in
            var outcomes: [ChunkID: Outcome] = [:]
            func addNext() {
                guard let (chunk, sources) = rest.popFirst() else { return }
                group.addTask {
                    (chunk, await pullForMove(chunk, from: sources))
                }
            }
            for _ in 0..<StorageNodeLimits.copiesAtOnce { addNext() }
            for await (chunk, outcome) in group {
                outcomes[chunk] = outcome
                // A full or failed disk will not take the rest either.
                if case .refused = outcome { rest = [:] }
                addNext()
            }
            return outcomes
        }
    }

    private func pullForMove(_ chunk: ChunkID, from sources: [NodeID]) async -> Outcome {
        let isKnownGood = readBack.contains(chunk)
        let outcome = await pull(chunk, from: sources, isKnownGood: isKnownGood)
        if outcome != .settled {
            readBack.remove(chunk)
        } else if !isKnownGood {
            readBack.insert(chunk)
        }
        return outcome
    }

    /// - Returns: `nil` if the node could not be asked, or is not at the epoch.
    func list(_ partition: PartitionID, on node: NodeID, epoch: UInt64) async -> [ChunkID]? {
        var chunks: [ChunkID] = []
        while true {
            let request = ProtoListChunksRequest.with {
                $0.partition = UInt32(partition.rawValue)
                $0.limit = UInt32(ChunkStoreLimits.listCountMax)
                $0.atEpoch = epoch
                if let last = chunks.last { $0.after = last.data }
            }
            do {
                let reply = try await pool.call(
                    .chunkList, to: node, request,
                    deadline: pool.now + StorageNodeLimits.listDeadline,
                    as: ProtoListChunksReply.self)
                guard reply.status == .done else { return nil }
                chunks += reply.chunks.compactMap { ChunkID(bytes: $0) }
                if !reply.isTruncated || reply.chunks.isEmpty { return chunks }
            } catch {
                return nil
            }
        }
    }
}
