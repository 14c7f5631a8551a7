import Core
import NIOCore

/// Limits of the node protocol.
package enum WireLimits {
    /// Bytes of a frame's header.
    static let frameHeaderBytes = 12
    /// Bytes of a message in one frame, at most. Larger things are streamed.
    package static let messageBytesMax = 8 << 20
    /// Bytes a REQUEST frame adds to its message.
    static let requestHeadBytes = 8
    /// Payload of one DATA frame, at most, as sent; a receiver takes any size within its windows.
    static let dataFrameBytesMax = 128 << 10
    /// Payload of a frame before the handshake is done, at most.
    static let helloBytesMax = 4 << 10
    /// Text of a failure on the wire, at most.
    static let failureTextBytesMax = 1024
    /// Bytes in flight on one stream before the reader has taken any.
    static let streamWindowBytes = 512 << 10
    /// Bytes in flight on one connection: as many as 128 readers that have stopped.
    static let connectionWindowBytes = 64 << 20
    /// Calls at once on one connection.
    package static let streamsMax = 1024
    /// Messages of calls at once on one connection, at the server.
    static let messageBytesInFlightMax = 64 << 20
    /// Bytes queued on one stream above which its writer waits.
    package static let queuedBytesHigh = 512 << 10
    /// Bytes queued on one stream, at most, by a writer that does not wait: the stream fails.
    static let queuedBytesMax = 32 << 20
    /// One-way messages waiting for one connection; more are dropped and counted.
    package static let oneWayQueuedBytesMax = 4 << 20
    /// Calls waiting for one connection to be made.
    static let pendingCallsMax = 512
    /// Bytes waiting to enter the socket above which new calls fail `overloaded`, and above which
    /// a server reads no more calls.
    static let socketBytesMax = 8 << 20
    /// Bytes handed to the socket in one go, so that other connections of the loop have a turn.
    static let pumpBytesMax = 256 << 10
    /// Payloads up to this size are copied next to their header: one TLS record holds both.
    static let coalesceBytesMax = 16 << 10
    /// Tasks started by `ServerCall.respond` and `run` in the process.
    package static let tasksMax = 4096
    /// Addresses that are called without knowing the peer.
    static let addressesMax = 256
    /// Bytes looked at before the port knows who speaks.
    static let sniffBytesMax = 16 << 10
    /// TLS records that a ClientHello may be cut into.
    static let helloRecordsMax = 64
    /// Connections of nodes that a port takes beside those of its clients.
    static let nodeConnectionsMax = 4096
    /// Lines in the log about refused handshakes.
    static let refusalLinesPerSecondMax = 10
    /// Conversations of joining nodes at once; more are closed at once.
    static let enrolmentsMax = 64
    /// Bytes of a message of the joining protocol.
    static let enrolmentBytesMax = 16 << 10
    /// How long such a conversation may take, the catalogue's answer included.
    package static let enrolmentTime = TimeAmount.seconds(10)
    /// Secrets that may be valid at a time.
    static let secretsMax = 2
    /// Bytes of CLUSTER_SECRET, at least.
    package static let secretBytesMin = 32

    /// Relations between limits. Run once at start-up and once in a test.
    package static func check() {
        precondition(dataFrameBytesMax <= streamWindowBytes, "a window takes a frame")
        precondition(streamWindowBytes <= connectionWindowBytes, "a connection takes a stream")
        precondition(helloBytesMax <= messageBytesMax, "a hello is a small message")
        precondition(queuedBytesHigh <= queuedBytesMax, "a writer waits before it is cut off")
        precondition(pumpBytesMax <= socketBytesMax, "pumping alone never counts as overload")
        precondition(
            enrolmentsMax <= nodeConnectionsMax, "nodes have room beside those that join")
        precondition(
            messageBytesMax <= messageBytesInFlightMax, "a connection takes the largest message")
        precondition(
            Limits.inlineBytesMax <= messageBytesMax, "an inline object travels in a message")
    }
}
