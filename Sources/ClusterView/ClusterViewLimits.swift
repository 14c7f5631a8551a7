import NIOCore

/// Every bound of this module, and how they relate.
package enum ClusterViewLimits {
    /// How long the leader may hold a watch that has nothing to say.
    package static let watchWaitMilliseconds: UInt32 = 1_000
    static let watchDeadline = TimeAmount.milliseconds(2_500)
    /// A view older than this is stale: gateways refuse requests, storage nodes writes.
    package static let staleAfterMilliseconds: UInt64 = 5_000
    static let heartbeatPause = Duration.seconds(1)
    static let heartbeatDeadline = TimeAmount.milliseconds(2_000)
    /// Pause between two tries to find a leader, doubled from the first to the last, with jitter.
    static let retryMillisecondsMin = 10
    static let retryMillisecondsMax = 250
    /// One try of a proposal or question: short, so that a stuck leader is left for another.
    static let attemptDeadline = TimeAmount.seconds(5)
    /// How often a node looks whether its certificate is to be renewed.
    static let renewalCheckPause = Duration.seconds(1)
    /// Milliseconds between two rounds of asking for a certificate.
    static let enrolmentPauseMin = 250
    static let enrolmentPauseMax = 30_000
    /// Coordinators asked in one round.
    static let enrolmentAddressesMax = 64
    /// Those who wait for the state to reach something.
    static let waitersMax = 4_096

    /// What one round of asking coordinators may leave to be said, in one line.
    static let troublesMax = 8
    /// Milliseconds between two such lines.
    static let saidPause: UInt64 = 5_000

    /// Run once at start-up and once in a test.
    package static func check() {
        precondition(
            watchDeadline > .milliseconds(Int64(watchWaitMilliseconds)), "a watch may wait")
        precondition(
            staleAfterMilliseconds > UInt64(watchDeadline.nanoseconds / 1_000_000) + 1_000,
            "one lost watch does not make a view stale")
        precondition(retryMillisecondsMin <= retryMillisecondsMax, "retries slow down")
        precondition(enrolmentPauseMin <= enrolmentPauseMax, "asking slows down")
    }
}
