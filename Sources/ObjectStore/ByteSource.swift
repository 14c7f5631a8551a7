import NIOCore

/// Where an operation's bytes come from. One reader pulls; nothing is read ahead, so back-pressure
/// reaches the client's socket.
package protocol ByteSource {
    /// - Returns: the next piece, of any size above 0; `nil` at the end.
    /// - Throws: whatever is wrong with the body: a chunk's signature, the payload's SHA-256, a
    ///   truncated body, a client that has gone. Nothing is committed then. All that can be
    ///   verified must be verified before `nil` is returned.
    mutating func next() async throws -> ByteBuffer?

    /// The checksum that a trailer declared; asked for once, after ``next()`` has returned `nil`.
    var trailingChecksum: ObjectChecksum? { get }
}

extension ByteSource {
    package var trailingChecksum: ObjectChecksum? { nil }
}

/// A body that is all here.
package struct BufferSource: ByteSource {
    private var buffer: ByteBuffer?
    package init(_ buffer: ByteBuffer) { self.buffer = buffer.readableBytes > 0 ? buffer : nil }
    package mutating func next() async throws -> ByteBuffer? {
        defer { buffer = nil }
        return buffer
    }
}

/// A body as an asynchronous sequence.
package struct SequenceSource<Base: AsyncSequence>: ByteSource where Base.Element == ByteBuffer {
    private var iterator: Base.AsyncIterator
    package init(_ base: Base) { iterator = base.makeAsyncIterator() }
    package mutating func next() async throws -> ByteBuffer? {
        while let piece = try await iterator.next() {
            if piece.readableBytes > 0 { return piece }
        }
        return nil
    }
}
