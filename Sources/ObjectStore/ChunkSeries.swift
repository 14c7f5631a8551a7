import Core
import Foundation
import Messages
import NIOCore

/// The chunks of one body, in order. While one is sent, the one before waits for its
/// acknowledgements: two at a time, whatever the body's size. Used by one task.
struct ChunkSeries {
    private let writing: ChunkWriting
    private let keys: KeyRing
    private var owner: OwnerRecord
    private var current: (upload: ChunkUpload, plainBytes: Int)?
    private var previous: (upload: ChunkUpload, plainBytes: Int)?
    private var settled: [(id: ChunkID, nodes: [NodeID])] = []
    private(set) var refs: [ProtoChunkRef] = []
    private(set) var missing: [ProtoMissingCopy] = []

    init(_ writing: ChunkWriting, keys: KeyRing, owner: OwnerRecord) {
        self.writing = writing
        self.keys = keys
        self.owner = owner
    }

    mutating func begin(index: Int, plainBytes: Int) throws {
        precondition(current == nil)
        owner.chunk = index
        owner.chunkBytes = plainBytes
        let upload = try ChunkUpload(
            writing, sealedBytes: Limits.sealedBytes(ofPlain: plainBytes),
            owner: owner.sealed(by: keys, random: writing.random))
        current = (upload, plainBytes)
    }

    mutating func send(_ bytes: ByteBuffer, end: Bool) async throws {
        try await current?.upload.send(bytes, end: end)
        guard end else { return }
        try await settlePrevious()
        previous = current
        current = nil
    }

    /// All chunks are durable afterwards.
    mutating func finish() async throws {
        precondition(current == nil, "the last chunk was sent")
        try await settlePrevious()
    }

    private mutating func settlePrevious() async throws {
        guard let lacking = try await previous?.upload.settle(), let previous else { return }
        let chunk = previous.upload.chunk
        let id = Data(chunk.bytes)
        refs.append(
            .with {
                $0.id = id
                $0.bytes = UInt32(previous.plainBytes)
            })
        for node in lacking where !Mutation.isOn(.missingCopyForgotten) {
            missing.append(
                .with {
                    $0.chunk = id
                    $0.node = Data(node.bytes)
                })
        }
        settled.append((chunk, previous.upload.nodes))
        self.previous = nil
    }

    /// Nothing will name these chunks.
    func discard() {
        current?.upload.discard()
        previous?.upload.discard()
        writing.discard(settled)
    }

    var chunks: [(id: ChunkID, nodes: [NodeID])] { settled }
}
