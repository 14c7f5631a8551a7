/// What looking for peers may cost at most.
package enum DiscoveryLimits {
    /// Addresses that are kept and tried.
    package static let candidatesMax = 256
    /// Peers and reasons of one source that a report shows.
    package static let leftOutMax = 1000
    /// Peers of one source that are remembered.
    package static let peersMax = 10_000
    package static let sourcesMax = 16

    /// Calls of an API that are paid by a quota, in any 60 s.
    package static let callsPerMinuteMax = 10
    /// Between two rounds of such a source while it changes or somebody joins, per call.
    package static let joiningPause = Duration.seconds(6)
    /// The same once its answer has been the same for ``settlingTime``.
    package static let settledPause = Duration.seconds(60)
    package static let settlingTime = Duration.seconds(300)
    /// Chance makes a pause longer by up to this part of it.
    package static let jitter = 0.25
    /// Between two rounds of a source that nobody pays for.
    package static let freePause = Duration.seconds(1)
    /// After errors: exponential with full jitter between these.
    package static let backoffMin = Duration.seconds(1)
    package static let backoffMax = Duration.seconds(60)
    /// Errors in a row that do not make the next pause longer: where every second call fails, a
    /// group forms as long as it is asked again soon. ``callsPerMinuteMax`` holds all the same.
    package static let quickTries = 3

    /// Names that are looked up, and addresses of one name.
    package static let dnsNamesMax = 16
    package static let dnsAddressesMax = 256
    /// Targets of SRV records whose addresses are asked for.
    package static let dnsTargetsMax = 64
    /// Look-ups of one plugin at a time.
    package static let dnsLookUpsMax = 8
    /// One name with its search domains, aliases and types.
    package static let dnsTime = Duration.seconds(5)
    /// One question to one server.
    package static let dnsTryTime = Duration.seconds(1)
    /// Times each server is asked.
    package static let dnsTries = 2
    package static let dnsServersMax = 3
    package static let dnsSearchMax = 6
    package static let dnsDotsMax = 15
    package static let resolvConfBytesMax = 64 << 10
    /// Aliases (CNAME) that are followed.
    package static let dnsAliasesMax = 8
    /// Pointers in one compressed name.
    package static let dnsPointersMax = 16
    package static let dnsRecordsMax = 4096
    /// Of UDP: what passes every network unfragmented (DNS Flag Day 2020).
    package static let dnsDatagramBytes = 1232
    package static let dnsMessageBytesMax = 65535
    /// An answer is used at least and at most this long, whatever its TTL says. The upper bound is
    /// what a group that forms at once can wait for; the resolver behind has a cache of its own.
    package static let dnsTTLMin = Duration.seconds(1)
    package static let dnsTTLMax = Duration.seconds(10)
    package static let dnsCacheMax = 1024

    /// Relations between limits. Run once in a test.
    package static func check() {
        precondition(joiningPause * callsPerMinuteMax >= .seconds(60), "the pace keeps the budget")
        precondition(backoffMin <= backoffMax, "a back-off grows")
        precondition(dnsTryTime * dnsServersMax < dnsTime, "every server is asked once in time")
        precondition(dnsTTLMin < dnsTTLMax, "bounds have a room")
        precondition(dnsDatagramBytes <= dnsMessageBytesMax, "a datagram is a message")
    }
}
