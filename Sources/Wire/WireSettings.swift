import NIOCore

/// What tests make small. The defaults are the program's.
package struct WireSettings: Sendable {
    package var streamWindowBytes = WireLimits.streamWindowBytes
    package var connectionWindowBytes = WireLimits.connectionWindowBytes
    package var messageBytesMax = WireLimits.messageBytesMax
    package var streamsMax = WireLimits.streamsMax
    package var queuedBytesHigh = WireLimits.queuedBytesHigh
    package var connectTimeout = TimeAmount.seconds(3)
    /// From the connection to the peer's HELLO.
    package var handshakeTimeout = TimeAmount.seconds(5)
    /// A client that has heard nothing for this long asks; the server hears it, too.
    package var pingInterval = TimeAmount.seconds(2)
    /// Silence after which the peer is taken for dead.
    package var deadAfter = TimeAmount.seconds(8)
    /// How long a server that stops waits for the client to close a connection without calls.
    package var drainedTimeout = TimeAmount.seconds(1)
    /// A connection without calls and messages is closed after this time.
    package var idleAfter = TimeAmount.minutes(5)
    package var backoffMin = TimeAmount.milliseconds(50)
    package var backoffMax = TimeAmount.seconds(1)

    package init() {}
}
