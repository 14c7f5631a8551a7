/// What asking a cloud may cost at most. Sources: the providers' guides for their metadata services
/// and throttling, and the rules that clients of three clouds can share.
package enum CloudLimits {
    /// One call, from connecting to the last byte.
    package static let callTime = Duration.seconds(5)
    /// One try to reach the metadata service, which is on this machine.
    package static let metadataTime = Duration.seconds(2)
    /// All calls of one round: a list with its pages and the tokens it needs.
    package static let roundTime = Duration.seconds(30)
    /// Finding out which cloud this is.
    package static let detectionTime = Duration.seconds(2)
    /// Tries of one call to the metadata service.
    package static let metadataTries = 3
    /// Pause after the first try; it doubles, and chance halves it at most.
    package static let retryPause = Duration.milliseconds(200)
    /// After errors of an API: exponential with full jitter between these.
    package static let backoffMin = Duration.seconds(1)
    package static let backoffMax = Duration.seconds(60)
    /// A longer `Retry-After` is cut to this.
    package static let retryAfterMax = Duration.seconds(120)

    /// Pages of one list.
    package static let pagesMax = 50
    /// How long the first of two lists waits for the second, where that failed.
    package static let pendingTime = Duration.seconds(120)
    /// Instances on one page that is asked for. EC2 allows 5...1000, Compute Engine 500.
    package static let awsPageSize = 1000
    package static let gcpPageSize = 500
    /// Instances in one list; the rest is left out and the list is called partial.
    package static let instancesMax = 10_000

    /// Bytes of one reply of a metadata service.
    package static let metadataBytesMax = 256 << 10
    /// Bytes of one page of a list: a thousand instances with everything EC2 tells of them.
    package static let pageBytesMax = 16 << 20
    /// Elements of one page in XML.
    package static let pageElementsMax = 1_000_000
    /// Bytes of a secret (AWS allows 64 KiB, Google 64 KiB, Azure 25 KB).
    package static let secretBytesMax = 64 << 10
    /// Characters of another's error message that are repeated.
    package static let messageCharactersMax = 300
    /// Scheduled events that are looked at.
    package static let eventsMax = 100

    /// How long a session with the metadata service of AWS lives (6 h, its maximum).
    package static let awsSessionSeconds = 21_600
    /// Credentials are fetched anew this long before they end.
    package static let refreshBefore = Duration.seconds(300)

    /// Relations between limits. Run once in a test.
    package static func check() {
        precondition(callTime * 2 <= roundTime, "a round holds a token and a page")
        precondition(metadataTime * metadataTries < roundTime, "metadata leaves time for the list")
        precondition(awsPageSize <= 1000 && gcpPageSize <= 500, "what the clouds allow")
        precondition(gcpPageSize * pagesMax >= instancesMax, "pages suffice for all instances")
        precondition(secretBytesMax * 2 <= pageBytesMax, "a secret in JSON fits a reply")
    }
}
