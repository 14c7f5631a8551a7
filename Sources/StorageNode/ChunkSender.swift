import ChunkStore
import Core
import Messages
import NIOCore
import Wire

/// Sends the blocks of one chunk, each verified. What is in memory is answered on the event loop at
/// once; the rest is read piece by piece on the store's threads, no faster than the caller takes
/// it.
enum ChunkSender {
    static func send(_ call: ServerCall, store: ChunkStore) {
        do throws(WireFailure) {
            let request: ProtoReadChunkRequest = try call.decode()
            guard let chunk = ChunkID(bytes: request.chunk) else {
                throw WireFailure(.badRequest, "a chunk id has sixteen bytes")
            }
            if sendCached(call, request, chunk, store) { return }
            let isTaken = store.onReadThread { open(call, request, chunk, store) }
            if !isTaken { throw WireFailure(.overloaded, "too many reads wait already") }
        } catch {
            call.fail(error)
        }
    }

    /// - Returns: `false` where it would wait for the disk.
    private static func sendCached(
        _ call: ServerCall, _ request: ProtoReadChunkRequest, _ chunk: ChunkID,
        _ store: ChunkStore
    ) -> Bool {
        guard let reader = store.openCached(chunk),
            let blocks = blocks(of: request, in: reader),
            blocks.count <= StorageNodeLimits.blocksOnLoopMax
        else { return false }
        var bytes = ByteBufferAllocator().buffer(capacity: reader.byteRange(of: blocks).count)
        let isRead = fill(&bytes, blocks, reader) { reader.readCached(blocks, into: $0) }
        guard isRead else { return false }
        call.startReply(head(reader, isWhole: blocks.count == reader.blockCount))
        call.enqueue(bytes, end: true)
        return true
    }

    private static func open(
        _ call: ServerCall, _ request: ProtoReadChunkRequest, _ chunk: ChunkID,
        _ store: ChunkStore
    ) {
        do throws(ChunkStoreError) {
            let reader = try store.open(chunk)
            guard let blocks = blocks(of: request, in: reader) else {
                throw .invalid(chunk, "the chunk has \(reader.blockCount) blocks")
            }
            ReadJob(call: call, store: store, reader: reader, blocks: blocks).begin()
        } catch {
            let status = ChunkStatus(error)
            call.startReply(
                ProtoReadChunkReply.with {
                    $0.status = status.status
                    $0.detail = status.detail
                })
            call.finish()
        }
    }

    /// - Returns: `nil` for blocks that the chunk does not have.
    private static func blocks(
        of request: ProtoReadChunkRequest, in reader: ChunkReader
    ) -> Range<Int>? {
        let first = Int(request.firstBlock)
        guard first < reader.blockCount else { return nil }
        let count = request.blockCount == 0 ? reader.blockCount - first : Int(request.blockCount)
        guard count <= reader.blockCount - first else { return nil }
        return first..<first + count
    }

    static func head(_ reader: ChunkReader, isWhole: Bool) -> ProtoReadChunkReply {
        .with {
            $0.status = .done
            $0.chunkBytes = UInt32(reader.bytes)
            if isWhole { $0.owner = .init(reader.owner) }
        }
    }

    /// Room for the blocks at the end of `bytes`, filled by `read`.
    static func fill<Answer>(
        _ bytes: inout ByteBuffer, _ blocks: Range<Int>, _ reader: ChunkReader,
        _ read: (UnsafeMutableRawBufferPointer) -> Answer
    ) -> Answer {
        let count = reader.byteRange(of: blocks).count
        var answer: Answer?
        bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { raw in
            answer = read(UnsafeMutableRawBufferPointer(rebasing: raw[..<count]))
            return count
        }
        return answer!
    }
}

/// The pieces of one read, in turn on a reading thread; between two of them nothing is held.
private final class ReadJob: Sendable {
    private let call: ServerCall
    private let store: ChunkStore
    private let reader: ChunkReader
    private let blocks: Range<Int>

    init(call: ServerCall, store: ChunkStore, reader: ChunkReader, blocks: Range<Int>) {
        self.call = call
        self.store = store
        self.reader = reader
        self.blocks = blocks
    }

    func begin() { step(from: blocks.lowerBound) }

    /// The reply's head goes with the first piece that was read well: until then the answer can
    /// still be a status.
    private func step(from first: Int) {
        var next = first
        while next < blocks.upperBound, !call.isOver {
            let piece = next..<min(next + StorageNodeLimits.blocksPerPiece, blocks.upperBound)
            var bytes = ByteBufferAllocator().buffer(
                capacity: reader.byteRange(of: piece).count)
            let result = ChunkSender.fill(&bytes, piece, reader) { raw in
                Result { () throws(ChunkStoreError) in try reader.read(piece, into: raw) }
            }
            if case .failure(let error) = result {
                return fail(error, isBegun: next > blocks.lowerBound)
            }
            if next == blocks.lowerBound {
                call.startReply(
                    ChunkSender.head(reader, isWhole: blocks.count == reader.blockCount))
            }
            next = piece.upperBound
            let isLast = next == blocks.upperBound
            if !call.enqueue(bytes, end: isLast), !isLast {
                return call.onWritable { [self, next] in resume(from: next) }
            }
        }
    }

    private func resume(from next: Int) {
        let isTaken = store.onReadThread { [self] in step(from: next) }
        if !isTaken { call.fail(WireFailure(.overloaded, "too many reads wait already")) }
    }

    private func fail(_ error: ChunkStoreError, isBegun: Bool) {
        let status = ChunkStatus(error)
        if isBegun {
            // A bad copy stays bad; whatever else it is may pass.
            let code: WireFailure.Code = status.status == .corrupt ? .internalError : .unavailable
            return call.fail(WireFailure(code, "\(status.status): \(status.detail)"))
        }
        call.startReply(
            ProtoReadChunkReply.with {
                $0.status = status.status
                $0.detail = status.detail
            })
        call.finish()
    }
}
