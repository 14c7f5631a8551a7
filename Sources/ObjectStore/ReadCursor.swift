import Core
import Foundation
import Messages

/// What is read in one step.
enum ReadStep: Sendable {
    /// Some blocks of one chunk.
    case blocks(BlockSpan)
    /// One inline body, `taken` of its bytes.
    case inline(ProtoInlineBody, plainBytes: Int, taken: Range<Int>)
}

/// Some blocks of one chunk, and which of their bytes are wanted.
struct BlockSpan: Sendable {
    let chunk: ChunkID
    /// Plaintext bytes of the whole chunk.
    let chunkBytes: Int
    let key: ProtoWrappedKey
    /// Number in the body of the chunk's first block.
    let firstBlock: Int
    /// Blocks of the chunk.
    let blocks: Range<Int>
    /// Plaintext bytes to pass over in the first block, and how many count from there.
    let skippedBytes: Int
    let takenBytes: Int

    func plainBytes(ofBlock block: Int) -> Int {
        min(Limits.blockBytes, chunkBytes - block * Limits.blockBytes)
    }
    var plainBytes: Int {
        min(blocks.upperBound * Limits.blockBytes, chunkBytes)
            - blocks.lowerBound * Limits.blockBytes
    }
}

/// Walks through a body in steps, without touching a byte of it. Pure.
///
/// ```
/// object   0 ───── part 1 ───── │ ─────── part 2 ───────
/// range           ├──────────────────────────┤
/// chunks   │ 8 MiB  │ 8 MiB     │ 8 MiB  │ 8 MiB  │ …
/// steps           ├──┤──┤──┤────┤──┤──┤──┤───┤
/// ```
struct ReadCursor: Sendable {
    enum Next: Sendable {
        case step(ReadStep)
        /// Ask for the parts that hold this byte of the object and what follows, and ``add(_:)``.
        case needsParts(offset: Int)
        case end
    }

    private struct Segment: Sendable {
        let body: ProtoBody
        /// Bytes of the object that it holds.
        let range: Range<Int>
    }

    let upload: Data?
    private var segments: [Segment] = []
    private var segment = 0
    /// Chunk of the segment that the next byte is in, and where in the object the chunk begins.
    private var chunk = 0
    private var chunkStart = 0
    private(set) var position: Int
    let end: Int

    /// - Parameter range: within 0..<size.
    init(_ body: ProtoBody, size: Int, range: Range<Int>) throws(ObjectStoreError) {
        precondition(range.lowerBound >= 0 && range.upperBound <= size)
        position = range.lowerBound
        end = range.upperBound
        switch body.kind {
        case .multipart(let multipart): upload = multipart.upload
        case .inline, .chunked:
            upload = nil
            segments = [Segment(body: body, range: 0..<size)]
        case nil: throw .damaged("an object without a body")
        }
    }

    /// The parts that were asked for, in order.
    mutating func add(_ parts: [ProtoPart]) throws(ObjectStoreError) {
        segments = parts.map { part in
            Segment(body: part.body, range: Int(part.offset)..<Int(part.offset + part.size))
        }
        segment = 0
        chunk = 0
        guard let first = segments.first, first.range.contains(position) else {
            throw .damaged("the parts of an object leave out byte \(position)")
        }
        chunkStart = first.range.lowerBound
        for (left, right) in zip(segments, segments.dropFirst())
        where left.range.upperBound != right.range.lowerBound {
            throw .damaged("the parts of an object leave out byte \(left.range.upperBound)")
        }
    }

    /// - Parameter blocksMax: most blocks of one step.
    mutating func next(blocksMax: Int) throws(ObjectStoreError) -> Next {
        guard position < end else { return .end }
        while segment < segments.count, position >= segments[segment].range.upperBound {
            segment += 1
            chunk = 0
            if segment < segments.count { chunkStart = segments[segment].range.lowerBound }
        }
        guard segment < segments.count else {
            guard upload != nil else { throw .damaged("a body ends before its object") }
            return .needsParts(offset: position)
        }
        let current = segments[segment]
        switch current.body.kind {
        case .inline(let inline):
            let start = current.range.lowerBound
            let taken = position - start..<min(end, current.range.upperBound) - start
            position += taken.count
            return .step(.inline(inline, plainBytes: current.range.count, taken: taken))
        case .chunked(let chunked):
            return .step(.blocks(try span(chunked, current.range, blocksMax: blocksMax)))
        case .multipart, nil: throw .damaged("a part without a body")
        }
    }

    private mutating func span(
        _ chunked: ProtoChunkedBody, _ range: Range<Int>, blocksMax: Int
    ) throws(ObjectStoreError) -> BlockSpan {
        while chunk < chunked.chunks.count,
            chunkStart + Int(chunked.chunks[chunk].bytes) <= position
        {
            chunkStart += Int(chunked.chunks[chunk].bytes)
            chunk += 1
        }
        guard chunk < chunked.chunks.count else { throw .damaged("a body lacks chunks") }
        let ref = chunked.chunks[chunk]
        let chunkBytes = Int(ref.bytes)
        guard let id = ChunkID(bytes: ref.id), chunkBytes <= Limits.chunkBytesMax,
            chunkStart + chunkBytes <= range.upperBound
        else { throw .damaged("a chunk reference that cannot be") }
        let first = (position - chunkStart) / Limits.blockBytes
        let wantedEnd = min(end - chunkStart, chunkBytes)
        let last = (wantedEnd - 1) / Limits.blockBytes
        let blocks = first..<min(last + 1, first + blocksMax)
        let skipped = position - chunkStart - first * Limits.blockBytes
        let taken = min(wantedEnd, blocks.upperBound * Limits.blockBytes) - (position - chunkStart)
        position += taken
        return BlockSpan(
            chunk: id, chunkBytes: chunkBytes, key: chunked.key,
            firstBlock: chunk * blocksPerChunk, blocks: blocks, skippedBytes: skipped,
            takenBytes: taken)
    }
}
