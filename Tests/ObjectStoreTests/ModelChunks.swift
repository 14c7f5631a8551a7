import Core
import Messages
import NIOCore
import Synchronization

@testable import ObjectStore

/// Storage nodes in memory, that fail as they are told.
final class ModelChunks: ChunkDoor {
    enum Fault: Hashable, Sendable {
        case none
        /// Refused at once.
        case unreachable
        /// Takes what its window holds, and never says a word.
        case silent
        case full
        case stale
        /// Gives up after so many bytes of each chunk written or read.
        case dies(afterBytes: Int)
        /// Gives wrong bytes from the second block on.
        case corrupt
        /// Says that its copies are corrupt.
        case detectsCorruption
        case forgetful
    }

    struct Node: Sendable {
        var chunks: [ChunkID: [UInt8]] = [:]
        var owners: [ChunkID: [UInt8]] = [:]
        var fault = Fault.none
        var writes = 0
        var fetches = 0
    }

    struct State: Sendable {
        var nodes: [NodeID: Node] = [:]
        var tombstones: Set<ChunkID> = []
        var reports: [String] = []
        var reported: Set<NodeID> = []
        var heldBytes = 0
        var heldBytesPeak = 0
        var drainedBytes = 0
        var fetchedBytes = 0
    }

    let state: Mutex<State>
    let clocks: TestClocks
    static let windowBytes = 512 << 10

    init(nodes: [NodeID], clocks: TestClocks) {
        self.clocks = clocks
        state = Mutex(State(nodes: .init(uniqueKeysWithValues: nodes.map { ($0, Node()) })))
    }

    func fault(of node: NodeID) -> Fault { state.withLock { $0.nodes[node]?.fault ?? .none } }
    func set(_ fault: Fault, on node: NodeID) { state.withLock { $0.nodes[node]?.fault = fault } }
    func copies(of chunk: ChunkID) -> [NodeID] {
        state.withLock { state in
            state.nodes.filter { $0.value.chunks[chunk] != nil }.map(\.key).sorted()
        }
    }
    var chunkCount: Int {
        state.withLock { Set($0.nodes.values.flatMap(\.chunks.keys)).count }
    }

    // MARK: ChunkDoor

    func write(
        _ request: ChunkWriteRequest, to node: NodeID,
        onReply: @escaping @Sendable (ChunkWriteReply) -> Void
    ) -> any ChunkWriteStream {
        state.withLock { $0.nodes[node]?.writes += 1 }
        let stream = ModelStream(self, request, node, onReply)
        stream.begin()
        return stream
    }

    func fetch(
        _ request: ChunkFetchRequest, from node: NodeID,
        onDone: @escaping @Sendable (ChunkFetchReply) -> Void
    ) -> any ChunkFetch {
        let fetch = ModelFetch()
        Task {
            await Task.yield()
            while self.fault(of: node) == .silent, !fetch.isCancelled,
                self.clocks.monotonic < request.deadline
            {
                try? await Task.sleep(for: .milliseconds(1))
            }
            onDone(self.reply(request, node))
        }
        return fetch
    }

    private func reply(_ request: ChunkFetchRequest, _ node: NodeID) -> ChunkFetchReply {
        state.withLock { state in
            guard let entry = state.nodes[node] else {
                return ChunkFetchReply(pieces: [], failure: .unreachable("unknown"))
            }
            state.nodes[node]?.fetches += 1
            switch entry.fault {
            case .unreachable, .silent:
                return ChunkFetchReply(pieces: [], failure: .unreachable("no route"))
            case .detectsCorruption: return ChunkFetchReply(pieces: [], failure: .corrupt)
            case .forgetful: return ChunkFetchReply(pieces: [], failure: .notFound)
            case .none, .full, .stale, .dies, .corrupt: break
            }
            guard let sealed = entry.chunks[request.chunk] else {
                return ChunkFetchReply(pieces: [], failure: .notFound)
            }
            let start = request.blocks.lowerBound * Limits.sealedBlockBytes
            let end = min(sealed.count, request.blocks.upperBound * Limits.sealedBlockBytes)
            var bytes = Array(sealed[start..<end])
            var failure: ChunkFetchFailure?
            if case .dies(let count) = entry.fault, bytes.count > count {
                bytes = Array(bytes.prefix(count))
                failure = .unreachable("died")
            }
            if entry.fault == .corrupt {
                bytes[min(bytes.count - 1, Limits.sealedBlockBytes + 5)] ^= 1
            }
            state.fetchedBytes += bytes.count
            // Pieces that do not fall together with blocks.
            let pieces = stride(from: 0, to: bytes.count, by: 50_000).map {
                ByteBuffer(bytes: bytes[$0..<min($0 + 50_000, bytes.count)])
            }
            return ChunkFetchReply(pieces: pieces, failure: failure)
        }
    }

    func discard(_ chunks: [ChunkID], on nodes: [NodeID]) {
        state.withLock { state in
            for chunk in chunks {
                state.tombstones.insert(chunk)
                for node in nodes { state.nodes[node]?.chunks[chunk] = nil }
            }
        }
    }

    func report(badCopyOf chunk: ChunkID, on node: NodeID, goodSources sources: [NodeID]) {
        state.withLock {
            $0.reports.append("\(chunk) on \(node)")
            $0.reported.insert(node)
        }
    }

    /// What the repair worker does: every node of `nodes` that lacks the chunk gets it.
    func repair(_ chunk: ChunkID, on nodes: [NodeID]) {
        state.withLock { state in
            guard let bytes = state.nodes.values.compactMap({ $0.chunks[chunk] }).first else {
                return
            }
            for node in nodes { state.nodes[node]?.chunks[chunk] = bytes }
        }
    }
}

final class ModelFetch: ChunkFetch {
    private let cancelled = Mutex(false)
    var isCancelled: Bool { cancelled.withLock { $0 } }
    func cancel() { cancelled.withLock { $0 = true } }
}

final class ModelStream: ChunkWriteStream {
    private struct State {
        var queue: [ByteBuffer] = []
        var queuedBytes = 0
        var received: [UInt8] = []
        var isEnded = false
        var isOver = false
        var isDraining = false
        var writable: (@Sendable () -> Void)?
    }
    private let state = Mutex(State())
    private let model: ModelChunks
    private let request: ChunkWriteRequest
    private let node: NodeID
    private let onReply: @Sendable (ChunkWriteReply) -> Void

    init(
        _ model: ModelChunks, _ request: ChunkWriteRequest, _ node: NodeID,
        _ onReply: @escaping @Sendable (ChunkWriteReply) -> Void
    ) {
        self.model = model
        self.request = request
        self.node = node
        self.onReply = onReply
    }

    func begin() {
        Task {
            await Task.yield()
            switch self.model.fault(of: self.node) {
            case .unreachable: self.over(.lost("no route"))
            case .full: self.over(.refused(.full))
            case .stale: self.over(.refused(.staleEpoch))
            default: break
            }
        }
    }

    func enqueue(_ bytes: ByteBuffer, end: Bool) -> Bool {
        let (isBelow, mustDrain) = state.withLock { state in
            precondition(!state.isEnded, "nothing comes after the end")
            guard !state.isOver else { return (true, false) }
            state.queue.append(bytes)
            state.queuedBytes += bytes.readableBytes
            state.isEnded = end
            let mustDrain = !state.isDraining
            state.isDraining = true
            return (state.queuedBytes < ModelChunks.windowBytes, mustDrain)
        }
        model.state.withLock { model in
            model.heldBytes += bytes.readableBytes
            model.heldBytesPeak = max(model.heldBytesPeak, model.heldBytes)
        }
        if mustDrain { Task { await self.drain() } }
        return isBelow
    }

    private func drain() async {
        await Task.yield()
        while true {
            if model.fault(of: node) == .silent {
                state.withLock { $0.isDraining = false }
                return
            }
            let (isOver, waiting, drained) = state.withLock { state in
                let drained = state.queuedBytes
                for piece in state.queue { state.received += piece.readableBytesView }
                state.queue = []
                state.queuedBytes = 0
                state.isDraining = false
                defer { state.writable = nil }
                return (state.isOver, state.writable, drained)
            }
            model.state.withLock {
                $0.heldBytes -= drained
                $0.drainedBytes += drained
            }
            waiting?()
            if !isOver { finishIfEnded() }
            return
        }
    }

    private func finishIfEnded() {
        // What is over has lost its queue: it ended for other reasons than its last piece.
        let (received, isEnded) = state.withLock {
            ($0.received, $0.isEnded && $0.queue.isEmpty && !$0.isOver)
        }
        if case .dies(let count) = model.fault(of: node), received.count > count {
            return over(.lost("died"))
        }
        guard isEnded else { return }
        precondition(
            received.count == request.sealedBytes, "\(received.count) bytes, not as announced")
        let isStored = model.state.withLock { model in
            guard !model.tombstones.contains(request.chunk) else { return false }
            model.nodes[node]?.chunks[request.chunk] = received
            model.nodes[node]?.owners[request.chunk] = request.owner
            return true
        }
        over(isStored ? .acked : .refused(.deleted))
    }

    func onWritable(_ body: @escaping @Sendable () -> Void) {
        let isNow = state.withLock { state in
            if state.isOver || state.queuedBytes == 0 { return true }
            state.writable = body
            return false
        }
        if isNow { Task { body() } }
    }

    func cancel() { over(.lost("cancelled")) }

    private func over(_ reply: ChunkWriteReply) {
        let (isFirst, waiting, queued) = state.withLock { state in
            guard !state.isOver else { return (false, (@Sendable () -> Void)?.none, 0) }
            state.isOver = true
            defer {
                state.queue = []
                state.queuedBytes = 0
                state.writable = nil
            }
            return (true, state.writable, state.queuedBytes)
        }
        guard isFirst else { return }
        model.state.withLock { $0.heldBytes -= queued }
        Task {
            waiting?()
            self.onReply(reply)
        }
    }
}
