import Core
import NIOCore

/// What writing chunks needs of the service.
struct ChunkWriting: Sendable {
    let cluster: any ClusterDoor
    let chunks: any ChunkDoor
    let clocks: any Clocks
    let random: Randomness
    let avoided: AvoidedNodes
    let watch: WriteWatch

    /// Nothing will name these chunks: one message a node.
    func discard(_ unnamed: [(id: ChunkID, nodes: [NodeID])]) {
        var byNode: [NodeID: [ChunkID]] = [:]
        for chunk in unnamed {
            for node in chunk.nodes { byNode[node, default: []].append(chunk.id) }
        }
        for (node, ids) in byNode {
            for start in stride(from: 0, to: ids.count, by: ObjectStoreLimits.discardedMax) {
                let end = min(start + ObjectStoreLimits.discardedMax, ids.count)
                chunks.discard(Array(ids[start..<end]), on: [node])
            }
        }
    }
}

/// One chunk being written, and written again to another partition as long as all that was sent of
/// it is still here. Used by one task.
struct ChunkUpload {
    private let writing: ChunkWriting
    private let sealedBytes: Int
    private let owner: [UInt8]
    private var fanOut: ChunkFanOut
    private var kept: [ByteBuffer]? = []
    private var keptBytes = 0
    private var isEnded = false
    private var attempts = 1
    private(set) var chunk: ChunkID
    private(set) var nodes: [NodeID]

    init(_ writing: ChunkWriting, sealedBytes: Int, owner: [UInt8]) throws(ObjectStoreError) {
        precondition(sealedBytes > 0 && sealedBytes <= Limits.sealedChunkBytesMax)
        self.writing = writing
        self.sealedBytes = sealedBytes
        self.owner = owner
        (fanOut, chunk, nodes) = try Self.begin(writing, sealedBytes: sealedBytes, owner: owner)
    }

    private static func begin(
        _ writing: ChunkWriting, sealedBytes: Int, owner: [UInt8]
    ) throws(ObjectStoreError) -> (ChunkFanOut, ChunkID, [NodeID]) {
        let now = writing.clocks.monotonic
        let snapshot = writing.cluster.snapshot
        var random = writing.random
        guard
            let choice = PartitionChoice.choose(
                snapshot, avoiding: writing.avoided.current(now: now), random: &random)
        else { throw .slowDown("no partition has enough nodes that take chunks") }
        let chunk = ChunkID(
            partition: choice.partition, born: writing.clocks.wall, using: &random)
        let fanOut = ChunkFanOut(
            choice: choice, clocks: writing.clocks, avoided: writing.avoided)
        writing.watch.add(fanOut)
        let deadline = MonotonicTime(
            milliseconds: now.milliseconds + ObjectStoreLimits.chunkWrite)
        fanOut.start(
            ChunkWriteRequest(
                chunk: chunk, sealedBytes: sealedBytes, owner: owner, epoch: snapshot.epoch,
                deadline: deadline),
            door: writing.chunks)
        return (fanOut, chunk, choice.replicas)
    }

    /// Sends a piece, and waits for room.
    mutating func send(_ bytes: ByteBuffer, end: Bool) async throws {
        precondition(!isEnded, "nothing comes after the end")
        keep(bytes)
        isEnded = end
        if case .lost(let why) = try await fanOut.send(bytes, end: end) {
            try await sendAgain(why)
        }
    }

    private mutating func keep(_ bytes: ByteBuffer) {
        guard kept != nil else { return }
        keptBytes += bytes.readableBytes
        if keptBytes <= ObjectStoreLimits.keptBytesMax { kept?.append(bytes) } else { kept = nil }
    }

    /// Waits until the chunk is durable enough.
    ///
    /// - Returns: nodes that lack it.
    mutating func settle() async throws -> [NodeID] {
        precondition(isEnded, "the chunk was sent")
        while true {
            switch try await fanOut.decision() {
            case .committed(let missing):
                writing.watch.remove(fanOut)
                kept = nil
                return missing
            case .lost(let why): try await sendAgain(why)
            }
        }
    }

    private mutating func sendAgain(_ reason: String) async throws {
        var reason = reason
        attempts: while true {
            guard let kept else {
                throw ObjectStoreError.slowDown("no write quorum for a chunk: \(reason)")
            }
            guard attempts < ObjectStoreLimits.chunkAttemptsMax else {
                throw ObjectStoreError.slowDown(
                    "no write quorum for a chunk after \(attempts) attempts: \(reason)")
            }
            attempts += 1
            discard()
            (fanOut, chunk, nodes) = try Self.begin(
                writing, sealedBytes: sealedBytes, owner: owner)
            for (index, bytes) in kept.enumerated() {
                let end = isEnded && index == kept.count - 1
                if case .lost(let why) = try await fanOut.send(bytes, end: end) {
                    reason = why
                    continue attempts
                }
            }
            return
        }
    }

    /// The chunk will not be named: its copies may go. Harmless if repeated.
    func discard() {
        writing.watch.remove(fanOut)
        fanOut.cancel()
        writing.chunks.discard([chunk], on: nodes)
    }
}
