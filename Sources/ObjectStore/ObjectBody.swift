import NIOCore

/// The bytes of an object, or of a range of it: verified, in order, pulled by the reader. What is
/// asked for is fetched one step ahead, so memory is bounded whatever the object's size.
package struct ObjectBody: AsyncSequence, Sendable {
    package typealias Element = ByteBuffer

    /// Bytes in all.
    package let length: Int
    /// The first bytes, read before the operation answered.
    private let first: ByteBuffer?
    private let rest: Rest?

    struct Rest: Sendable {
        let reading: ChunkReading
        let cursor: ReadCursor
        let blocksMax: Int
        let reservation: MemoryBudget.Reservation
    }

    init(length: Int, first: ByteBuffer?, rest: Rest?) {
        self.length = length
        self.first = first
        self.rest = rest
    }

    /// All of the body, when it is here already: no iteration needed.
    package var whole: ByteBuffer? { rest == nil ? first ?? ByteBuffer() : nil }

    package struct AsyncIterator: AsyncIteratorProtocol {
        private var first: ByteBuffer?
        private let reader: BodyReader?
        /// Held as long as the reader reads.
        private let reservation: MemoryBudget.Reservation?

        fileprivate init(_ body: ObjectBody) {
            first = body.first
            reader = body.rest.map {
                BodyReader($0.reading, $0.cursor, blocksMax: $0.blocksMax)
            }
            reservation = body.rest?.reservation
        }

        /// - Throws: ``ObjectStoreError``: no good copy of the next bytes can be read. The answer
        ///   has begun, so the caller breaks the connection.
        package mutating func next() async throws(ObjectStoreError) -> ByteBuffer? {
            if let first {
                self.first = nil
                if first.readableBytes > 0 { return first }
            }
            return try await reader?.next()
        }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }
}
