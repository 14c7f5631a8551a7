import Core
import Messages
import NIOCore

/// S3's operations on objects, without HTTP and without sockets. Any thread; holds no state that
/// outlives an operation, but what nodes failed a moment ago.
package final class ObjectService: Sendable {
    let cluster: any ClusterDoor
    let catalogue: any CatalogueDoor
    let clocks: any Clocks
    let random: Randomness
    let writer: BodyWriter
    let avoided: AvoidedNodes
    let budget: MemoryBudget
    private let chunks: any ChunkDoor
    private let keys: KeyRing
    private let watch: WriteWatch

    package init(
        cluster: any ClusterDoor, catalogue: any CatalogueDoor, chunks: any ChunkDoor,
        keys: KeyRing, clocks: any Clocks = SystemClocks(), random: Randomness = .system,
        memoryBytesMax: Int = ObjectStoreLimits.memoryBytesMax
    ) {
        self.cluster = cluster
        self.catalogue = catalogue
        self.chunks = chunks
        self.keys = keys
        self.clocks = clocks
        self.random = random
        avoided = AvoidedNodes()
        watch = WriteWatch()
        budget = MemoryBudget(bytesMax: memoryBytesMax)
        writer = BodyWriter(
            writing: ChunkWriting(
                cluster: cluster, chunks: chunks, clocks: clocks, random: random,
                avoided: avoided, watch: watch),
            keys: keys)
    }

    /// Watches over writes that stall. Runs until its task is cancelled; without it a write waits
    /// for ever for a replica that says nothing.
    package func run() async {
        while !Task.isCancelled {
            try? await clocks.sleep(for: .milliseconds(ObjectStoreLimits.watch))
            tick()
        }
    }

    func tick() { watch.tick(now: clocks.monotonic) }

    /// Chunks being written just now.
    package var chunkWritesInFlight: Int { watch.count }
    /// What operations hold just now, as counted against the limit.
    package var memoryBytesUsed: Int { budget.usedBytes }

    /// What a body in `bucket` is read with.
    func reading(_ bucket: BucketID) -> ChunkReading {
        ChunkReading(
            cluster: cluster, chunks: chunks, clocks: clocks, random: random, avoided: avoided,
            keys: keys
        ) { [self] upload, offset throws(ObjectStoreError) in
            try await parts(of: upload, in: bucket, from: offset)
        }
    }

    private func parts(
        of upload: UploadID, in bucket: BucketID, from offset: Int
    ) async throws(ObjectStoreError) -> [ProtoPart] {
        var question = ProtoReadParts()
        question.bucket = bucket.rawValue
        question.upload = upload.data
        question.offset = UInt64(offset)
        question.limit = UInt32(ObjectStoreLimits.readPartsMax)
        let answer = try await ask(.readParts(question), bucket: bucket)
        return answer.parts.parts
    }
}
