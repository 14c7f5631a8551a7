import Core
import Logging
import NIOCore
import SwiftProtobuf

/// The client side: connections to all peers, made when first needed, kept, made again with
/// jittered back-off. Any thread.
package final class WirePool: Sendable {
    package struct Configuration: Sendable {
        package var certificates: NodeCertificates
        /// This node's cluster, `nil` before formation. Asked at each handshake.
        package var cluster: @Sendable () -> ClusterID?
        /// `host:port` of a node. Asked at each connection, so that nodes may move.
        package var addressOf: @Sendable (NodeID) -> String?
        package var group: any EventLoopGroup
        package var logger: Logger
        package var bulkConnections = 2

        package init(
            certificates: NodeCertificates, group: any EventLoopGroup, logger: Logger,
            cluster: @escaping @Sendable () -> ClusterID?,
            addressOf: @escaping @Sendable (NodeID) -> String?
        ) {
            self.certificates = certificates
            self.cluster = cluster
            self.addressOf = addressOf
            self.group = group
            self.logger = logger
        }
    }

    package init(_ configuration: Configuration) {}

    // MARK: Unary calls

    package func call(
        _ method: Method, to node: NodeID, _ message: ByteBuffer, deadline: NIODeadline
    ) async throws(WireError) -> ByteBuffer { throw .overloaded }

    package func call<Reply: SwiftProtobuf.Message>(
        _ method: Method, to node: NodeID, _ message: some SwiftProtobuf.Message,
        deadline: NIODeadline, as reply: Reply.Type = Reply.self
    ) async throws(WireError) -> Reply { throw .overloaded }

    /// The callback form; `done` is called exactly once, on a loop (never within this call).
    package func call(
        _ method: Method, to node: NodeID, _ message: ByteBuffer, deadline: NIODeadline,
        done: @escaping @Sendable (Result<ByteBuffer, WireError>) -> Void
    ) {}

    /// Calls whoever is at `address` (`host:port`): before ids are known.
    package func call<Reply: SwiftProtobuf.Message>(
        _ method: Method, address: String, _ message: some SwiftProtobuf.Message,
        deadline: NIODeadline, as reply: Reply.Type = Reply.self
    ) async throws(WireError) -> (peer: PeerIdentity, reply: Reply) { throw .overloaded }

    // MARK: One-way messages

    /// Best effort, in order while the connection stands; dropped and counted when there is no
    /// connection (one is being made) or ``WireLimits/oneWayQueuedBytesMax`` are queued.
    package func send(_ method: Method, to node: NodeID, _ message: ByteBuffer) {}

    // MARK: Streams

    /// Opens a stream: `message`, then raw bytes both ways. Errors come by the stream.
    package func open(
        _ method: Method, to node: NodeID, _ message: ByteBuffer, deadline: NIODeadline
    ) -> ClientStream { ClientStream() }
    package func open(
        _ method: Method, to node: NodeID, _ message: some SwiftProtobuf.Message,
        deadline: NIODeadline
    ) -> ClientStream { ClientStream() }

    /// The callback form: no task, no continuation. Events come on the connection's loop.
    package func open(
        _ method: Method, to node: NodeID, _ message: ByteBuffer, deadline: NIODeadline,
        onEvent: @escaping @Sendable (StreamEvent) -> Void
    ) -> ClientStream { ClientStream() }

    /// Closes all connections; calls in flight end `connectionLost`.
    package func shutdown() async {}
}

/// What happens on a client's stream; ends with exactly one `end` or `failed`.
package enum StreamEvent: Sendable {
    /// The reply's message.
    case reply(ByteBuffer)
    /// Raw bytes after it. Call ``ClientStream/consumed(_:)`` when done with them.
    case bytes(ByteBuffer)
    /// The answer is complete.
    case end
    case failed(WireError)
}

/// One open call with raw bytes both ways. Any thread; one writer, one reader.
package final class ClientStream: Sendable {
    init() {}

    // MARK: Request body

    /// Sends raw bytes, waiting while ``WireLimits/queuedBytesHigh`` are queued.
    package func write(_ bytes: ByteBuffer) async throws(WireError) {}
    /// Queues raw bytes without waiting.
    /// - Returns: `false` when the queue is above its mark: stop until ``onWritable(_:)`` calls.
    @discardableResult package func enqueue(_ bytes: ByteBuffer, end: Bool = false) -> Bool { true }
    /// Calls `body` once, on the loop, when the queue is below its mark (or the stream is over).
    package func onWritable(_ body: @escaping @Sendable () -> Void) {}
    package func finish() {}
    /// Ends the call; the server is told. No effect once it is over.
    package func cancel() {}

    // MARK: Reply (not for streams opened with `onEvent`)

    /// The reply's message. For a unary answer to a streamed request, this is all.
    package func reply() async throws(WireError) -> ByteBuffer { throw .overloaded }
    package func reply<Reply: SwiftProtobuf.Message>(
        as type: Reply.Type
    ) async throws(WireError) -> Reply { throw .overloaded }
    /// The next raw bytes, `nil` at the end. Opens the window by what it returned before.
    package func next() async throws(WireError) -> ByteBuffer? { nil }
    /// With `onEvent`: these bytes are done with; the peer may send more.
    package func consumed(_ bytes: Int) {}
}
