import Core
import NIOCore
import S3

/// Every bound of this module, and how they relate.
package enum GatewayLimits {
    /// Requests in progress at once in one gateway, unless configured; more answer `SlowDown`.
    package static let requestsInFlight = 1024
    /// A connection on which nothing happens for so long is closed.
    static let idleTimeout = TimeAmount.seconds(75)
    /// What of a refused request's body is read and dropped, so that the client reads the answer
    /// before the connection ends.
    static let drainedBytesMax = 1 << 20
    /// The same in time.
    static let drainMilliseconds = 2_000
    /// An answer whose reader takes nothing for so long is given up.
    static let stallTimeout = Duration.seconds(120)
    /// How often stalled answers are looked for.
    static let stallCheck = Duration.seconds(5)
    /// What the HTTP decoder lets in; S3's own limit is checked after it, with S3's own error.
    static let decoderHeaderBytesMax = 64 << 10
    /// JSON bodies of the admin API.
    static let adminBodyBytesMax = 16 << 10
    /// Access keys of one cluster that are kept unsealed.
    static let accessKeysMax = 100_000
    static let keyLabelCharactersMax = 64
    /// How long the admin API waits until this gateway sees what it has changed.
    static let adminWait = Duration.seconds(5)
    /// How long a join token may be good for: a minute to ten years.
    static let joinTokenSeconds = 60...10 * 366 * 86_400
    /// How long a cluster is looked for by a tool that asks coordinators itself.
    static let directFindTime = Duration.seconds(10)
    /// What one discard or report of chunks may wait for an answer.
    static let chunkErrandDeadline = TimeAmount.seconds(10)
    /// Errands (discards, reports of bad copies) under way at once; more are dropped: repair and
    /// garbage collection find what they would have said.
    static let chunkErrandsMax = 256
    /// A question to all coordinators, for the status report.
    static let statusDeadline = TimeAmount.seconds(3)

    /// Relations between limits. Run once at start-up and once in a test.
    package static func check() {
        S3Limits.check()
        precondition(
            decoderHeaderBytesMax >= S3Limits.headerBytesMax + S3Limits.targetBytesMax,
            "S3's error is sent, not the decoder's")
        precondition(adminBodyBytesMax <= S3Limits.xmlBytesMax)
        precondition(stallCheck < stallTimeout)
    }
}
