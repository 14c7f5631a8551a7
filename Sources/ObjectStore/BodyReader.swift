import Core
import Messages
import NIOCore

/// What reading chunks needs of the service.
struct ChunkReading: Sendable {
    let cluster: any ClusterDoor
    let chunks: any ChunkDoor
    let clocks: any Clocks
    let random: Randomness
    let avoided: AvoidedNodes
    let keys: KeyRing
    /// Parts of a completed upload from the one that holds this byte.
    let parts:
        @Sendable (_ upload: UploadID, _ offset: Int) async throws(ObjectStoreError) ->
            [ProtoPart]
}

/// Reads a body step by step: fetches one step ahead, opens every block, and goes on with another
/// copy where one fails. Used by one task.
final class BodyReader {
    private let reading: ChunkReading
    private(set) var cursor: ReadCursor
    private let blocksMax: Int
    private var cipher: (key: ProtoWrappedKey, box: CipherBox)?
    private var ahead: (step: ReadStep, fetch: PendingFetch?)?
    /// Copies of `chunk` that failed in this reading.
    private var failed: (chunk: ChunkID, nodes: Set<NodeID>)?

    /// A key schedule is not copied, so it lives in a box.
    private final class CipherBox {
        var cipher: BlockCipher
        init(_ key: [UInt8]) { cipher = BlockCipher(key: key) }
    }

    init(_ reading: ChunkReading, _ cursor: ReadCursor, blocksMax: Int) {
        self.reading = reading
        self.cursor = cursor
        self.blocksMax = blocksMax
    }

    deinit { ahead?.fetch?.cancel() }

    /// - Returns: the next verified bytes; `nil` at the end.
    func next(fetchesAhead: Bool = true) async throws(ObjectStoreError) -> ByteBuffer? {
        guard let (step, fetch) = try await takeStep() else { return nil }
        if Task.isCancelled { throw .slowDown("cancelled") }
        switch step {
        case .inline(let inline, let plainBytes, let taken):
            return try open(inline, plainBytes: plainBytes, taken: taken)
        case .blocks(let span):
            // The answer first, then the next fetch: the network works while blocks are opened.
            var reply: (PendingFetch, ChunkFetchReply)?
            if let fetch, let value = await fetch.take() { reply = (fetch, value) }
            if fetchesAhead { try await lookAhead() }
            return try await read(span, first: reply)
        }
    }

    private func takeStep() async throws(ObjectStoreError) -> (ReadStep, PendingFetch?)? {
        if let ahead {
            self.ahead = nil
            return (ahead.step, ahead.fetch)
        }
        guard let step = try await nextStep(waitsForParts: true) else { return nil }
        return (step, start(step))
    }

    /// Starts the next fetch, if it is known what it is.
    private func lookAhead() async throws(ObjectStoreError) {
        guard ahead == nil, let step = try await nextStep(waitsForParts: false) else { return }
        ahead = (step, start(step))
    }

    private func nextStep(waitsForParts: Bool) async throws(ObjectStoreError) -> ReadStep? {
        while true {
            switch try cursor.next(blocksMax: blocksMax) {
            case .step(let step): return step
            case .end: return nil
            case .needsParts(let offset):
                guard waitsForParts, let data = cursor.upload else { return nil }
                guard let upload = UploadID(bytes: data) else {
                    throw .damaged("a multipart body names no upload")
                }
                try cursor.add(try await reading.parts(upload, offset))
            }
        }
    }

    private func start(_ step: ReadStep) -> PendingFetch? {
        guard case .blocks(let span) = step, let node = candidates(span.chunk).first else {
            return nil
        }
        return fetch(span.chunk, span.blocks, from: node)
    }

    private func fetch(_ chunk: ChunkID, _ blocks: Range<Int>, from node: NodeID) -> PendingFetch {
        let deadline = MonotonicTime(
            milliseconds: reading.clocks.monotonic.milliseconds + ObjectStoreLimits.fetch)
        return PendingFetch(
            ChunkFetchRequest(chunk: chunk, blocks: blocks, deadline: deadline), from: node,
            door: reading.chunks)
    }

    private func candidates(_ chunk: ChunkID) -> [NodeID] {
        let now = reading.clocks.monotonic
        let all = ReadOrder.candidates(
            reading.cluster.snapshot, chunk.partition,
            avoiding: reading.avoided.current(now: now), spread: chunk.low)
        guard let failed, failed.chunk == chunk else { return all }
        if Mutation.isOn(.readOneCopy) { return [] }
        return all.filter { !failed.nodes.contains($0) }
    }

    // MARK: One span

    private func read(
        _ span: BlockSpan, first: (PendingFetch, ChunkFetchReply)?
    ) async throws(ObjectStoreError) -> ByteBuffer {
        let box = try cipherBox(span.key)
        var output = ByteBuffer()
        output.reserveCapacity(span.plainBytes)
        var block = span.blocks.lowerBound
        var answer = first
        var rounds = 1
        var failures: [String] = []
        var isUnreachable = false
        while true {
            if let (fetch, reply) = answer {
                let outcome = open(reply, span, from: &block, with: box, into: &output)
                guard block < span.blocks.upperBound else { break }
                if case .unreachable = outcome { isUnreachable = true }
                failures.append("\(fetch.node): \(outcome)")
                note(outcome, of: span.chunk, on: fetch.node)
                answer = nil
            }
            if Task.isCancelled { throw .slowDown("cancelled") }
            guard let node = candidates(span.chunk).first else {
                let text = "chunk \(span.chunk): \(failures.joined(separator: "; "))"
                guard rounds < ObjectStoreLimits.readRoundsMax else {
                    throw isUnreachable || failures.isEmpty ? .slowDown(text) : .damaged(text)
                }
                // The map may be about to tell of other nodes.
                rounds += 1
                failed = nil
                try? await reading.clocks.sleep(
                    for: .milliseconds(ObjectStoreLimits.readRoundPause))
                continue
            }
            let fetch = fetch(span.chunk, block..<span.blocks.upperBound, from: node)
            if let reply = await fetch.take() { answer = (fetch, reply) }
        }
        output.moveReaderIndex(forwardBy: span.skippedBytes)
        return output.readSlice(length: span.takenBytes) ?? ByteBuffer()
    }

    /// Opens what came, as far as it is good.
    ///
    /// - Returns: why it was not all; of no meaning if it was.
    private func open(
        _ reply: ChunkFetchReply, _ span: BlockSpan, from block: inout Int, with box: CipherBox,
        into output: inout ByteBuffer
    ) -> ChunkFetchFailure {
        var pieces = SealedPieces(reply.pieces)
        while block < span.blocks.upperBound {
            let isGenuine = pieces.open(
                plainBytes: span.plainBytes(ofBlock: block), block: span.firstBlock + block,
                with: &box.cipher, into: &output)
            guard let isGenuine else {
                return reply.failure ?? .unreachable("fewer bytes than were asked for")
            }
            guard isGenuine else { return .corrupt }
            block += 1
        }
        return reply.failure ?? .corrupt
    }

    private func note(_ failure: ChunkFetchFailure, of chunk: ChunkID, on node: NodeID) {
        if failed?.chunk != chunk { failed = (chunk, []) }
        failed?.nodes.insert(node)
        switch failure {
        case .unreachable:
            if !Task.isCancelled { reading.avoided.note(node, now: reading.clocks.monotonic) }
        case .notFound, .corrupt:
            let snapshot = reading.cluster.snapshot
            let partition = Int(chunk.partition.rawValue)
            guard partition < snapshot.partitions.count else { return }
            let nodes = snapshot.partitions[partition].nodes
            // A node that the partition moves to, or has moved from, need not have the chunk.
            guard nodes.contains(node) else { return }
            reading.chunks.report(
                badCopyOf: chunk, on: node, goodSources: nodes.filter { $0 != node })
        }
    }

    private func cipherBox(_ key: ProtoWrappedKey) throws(ObjectStoreError) -> CipherBox {
        if let cipher, cipher.key == key { return cipher.box }
        let box = CipherBox(try reading.keys.unwrap(key))
        cipher = (key, box)
        return box
    }

    private func open(
        _ inline: ProtoInlineBody, plainBytes: Int, taken: Range<Int>
    ) throws(ObjectStoreError) -> ByteBuffer {
        guard plainBytes > 0 else { return ByteBuffer() }
        let box = try cipherBox(inline.key)
        guard
            let plain = box.cipher.open(Array(inline.sealed), nonce: blockNonce(0)),
            plain.count == plainBytes
        else { throw .damaged("an inline body does not open") }
        return ByteBuffer(bytes: plain[taken])
    }
}
