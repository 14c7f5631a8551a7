import ChunkStore
import ClusterView
import Core
import Logging
import Messages
import NIOCore
import Wire

/// Serves chunks to gateways, coordinators and other storage nodes. Handlers run on the caller's
/// event loop and never wait there: what may wait for the disk goes to the store's threads.
package struct ChunkService: WireService {
    let store: ChunkStore
    let gate: WriteGate
    let puller: ChunkPuller
    let logger: Logger

    package static let methods: [Method] = [
        .chunkWrite, .chunkRead, .chunkDelete, .chunkList, .chunkPull, .partitionPull,
    ]

    package func receive(_ call: ServerCall) {
        switch call.method {
        case .chunkWrite: ChunkReceiver.receive(call, store: store, gate: gate)
        case .chunkRead: ChunkSender.send(call, store: store)
        case .chunkDelete: delete(call)
        case .chunkList: call.respond { try await list(try $0.decode()) }
        case .chunkPull: call.respond { try await puller.pull(try $0.decode()) }
        case .partitionPull: call.respond { try await puller.pullPartition(try $0.decode()) }
        default: call.fail(WireFailure(.unknownMethod))
        }
    }

    private func delete(_ call: ServerCall) {
        do throws(WireFailure) {
            let request: ProtoDeleteChunksRequest = try call.decode()
            let chunks = request.chunks.compactMap { ChunkID(bytes: $0) }
            guard chunks.count == request.chunks.count else {
                throw WireFailure(.badRequest, "a chunk id has sixteen bytes")
            }
            store.delete(chunks) { result in
                call.reply(
                    ProtoDeleteChunksReply.with {
                        switch result {
                        case .success: $0.status = .done
                        case .failure(let error):
                            let status = ChunkStatus(error)
                            $0.status = status.status
                            $0.detail = status.detail
                        }
                    })
            }
        } catch {
            call.fail(error)
        }
    }

    private func list(_ request: ProtoListChunksRequest) async throws -> ProtoListChunksReply {
        guard let partition = PartitionID(rawValue: UInt16(clamping: request.partition)) else {
            throw WireFailure(.badRequest, "there is no partition \(request.partition)")
        }
        if request.atEpoch > 0 {
            let epoch = Epoch(rawValue: request.atEpoch)
            let isFenced = await gate.fence(
                partition, at: epoch, atMost: StorageNodeLimits.fenceWait)
            guard isFenced else {
                return .with {
                    $0.status = .staleEpoch
                    $0.detail = "the map here is at epoch \(gate.epoch), or writes are under way"
                }
            }
        }
        let after = ChunkID(bytes: request.after)
        let result = await store.onReadThread { () throws(ChunkStoreError) in
            try store.list(partition, after: after, limit: Int(request.limit))
        }
        return .with { reply in
            switch result {
            case .success(let page):
                reply.status = .done
                reply.chunks = page.chunks.map(\.data)
                reply.isTruncated = page.isTruncated
            case .failure(let error):
                let status = ChunkStatus(error)
                reply.status = status.status
                reply.detail = status.detail
            }
        }
    }
}

extension ChunkStore {
    /// Runs `body` on one of the store's reading threads and waits for it.
    func onReadThread<Value: Sendable>(
        _ body: @escaping @Sendable () throws(ChunkStoreError) -> Value
    ) async -> Result<Value, ChunkStoreError> {
        await withCheckedContinuation { continuation in
            let isTaken = onReadThread {
                continuation.resume(
                    returning: Result { () throws(ChunkStoreError) in try body() })
            }
            if !isTaken { continuation.resume(returning: .failure(.overloaded)) }
        }
    }

    /// The same on the thread that writes this chunk.
    func onWriteThread<Value: Sendable>(
        for chunk: ChunkID, _ body: @escaping @Sendable () throws(ChunkStoreError) -> Value
    ) async -> Result<Value, ChunkStoreError> {
        await withCheckedContinuation { continuation in
            let isTaken = onWriteThread(for: chunk) {
                continuation.resume(
                    returning: Result { () throws(ChunkStoreError) in try body() })
            }
            if !isTaken { continuation.resume(returning: .failure(.overloaded)) }
        }
    }
}
