import Cloud
import Core

/// What is known of one source: its schedule, its last good answer, and what to say about it. Pure.
struct CandidateSource: Sendable {
    /// Something worth a line in the log.
    enum Event: Equatable, Sendable {
        case failed(String)
        case recovered
        case found(count: Int, isPartial: Bool)
        /// It answers, and nobody is there; what it saw and left out.
        case nobody([LeftOut])
    }

    private(set) var schedule: DiscoverySchedule
    private(set) var report: DiscoveryReport.Source
    /// Whether it ever answered with somebody: until then the list on disk stands in.
    private(set) var hasAnswered = false
    private var lastErrorKind: String?
    private var findsNobody = false

    init(name: String, price: DiscoveryPrice) {
        schedule = DiscoverySchedule(price: price)
        report = DiscoveryReport.Source(name: name)
    }

    /// Addresses that may be coordinators.
    var candidates: [String] { report.peers.filter(\.isCandidate).map { "\($0.address)" } }

    /// - Parameter isAwaited: Somebody looks for coordinators.
    mutating func begin(_ now: MonotonicTime, isAwaited: Bool) -> Bool {
        guard schedule.isDue(now), isAwaited || schedule.isStale(now) else { return false }
        schedule.began(now)
        return true
    }

    /// - Returns: What changed.
    mutating func end(
        _ outcome: DiscoveryOutcome, now: MonotonicTime, wall: WallTime, chance: Double
    ) -> [Event] {
        report.askedAt = wall
        report.roundCount += 1
        switch outcome.result {
        case .success(let found):
            return succeeded(found, now, chance)
        case .failure(let error):
            // Where it came to no call, the round counts as one all the same.
            let callCount = schedule.price == .calls ? max(1, outcome.callCount) : 0
            schedule.failed(
                now, callCount: callCount, retryAfter: error.retryAfter, chance: chance)
            report.failureCount += 1
            report.callCount += callCount
            report.error = "\(error)"
            report.failingSince = report.failingSince ?? wall
            defer { lastErrorKind = error.kind }
            return lastErrorKind == error.kind ? [] : [.failed("\(error)")]
        }
    }

    private mutating func succeeded(
        _ found: Discovered, _ now: MonotonicTime, _ chance: Double
    ) -> [Event] {
        var events: [Event] = lastErrorKind == nil ? [] : [.recovered]
        lastErrorKind = nil
        let before = Set(report.peers)
        if !found.peers.isEmpty {
            hasAnswered = true
            // Who is missing from a part of a list may be in the other part.
            let known = found.isPartial ? report.peers : []
            report.peers = Self.merged(found.peers, known)
        }
        let isChanged = Set(report.peers) != before
        schedule.succeeded(
            now, callCount: found.callCount, isChanged: isChanged, chance: chance)
        report.callCount += found.callCount
        report.error = nil
        report.failingSince = nil
        report.leftOut = Array(found.leftOut.prefix(DiscoveryLimits.leftOutMax))
        if isChanged || found.isPartial != report.isPartial {
            events.append(.found(count: found.peers.count, isPartial: found.isPartial))
        }
        report.isPartial = found.isPartial
        if found.peers.isEmpty, !findsNobody { events.append(.nobody(report.leftOut)) }
        findsNobody = found.peers.isEmpty
        return events
    }

    /// `new`, and of `old` what is at other addresses; bounded, and in order of addresses.
    private static func merged(_ new: [Peer], _ old: [Peer]) -> [Peer] {
        var byAddress: [HostPort: Peer] = [:]
        for peer in new.prefix(DiscoveryLimits.peersMax) { byAddress[peer.address] = peer }
        for peer in old where byAddress.count < DiscoveryLimits.peersMax {
            if byAddress[peer.address] == nil { byAddress[peer.address] = peer }
        }
        return byAddress.values.sorted { "\($0.address)" < "\($1.address)" }
    }
}
