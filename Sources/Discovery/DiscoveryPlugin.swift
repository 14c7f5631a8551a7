import Cloud
import Core

/// One source of candidates. It never says who is alive or who belongs: a candidate is asked, and
/// may be nobody.
package protocol DiscoveryPlugin: Sendable {
    /// `static`, `dns`, `aws`, …: also the ``Peer/source`` of what it finds.
    var name: String { get }
    var price: DiscoveryPrice { get }
    /// Calls of an API so far, also of rounds that failed.
    var callCount: Int { get }

    /// Asks once.
    ///
    /// - Returns: Peers in no order, this node's own among them or not.
    /// - Throws: ``DiscoveryError`` where the source can't be asked now; it is asked again.
    func find() async throws(DiscoveryError) -> Discovered
}

extension DiscoveryPlugin {
    /// Asks no API.
    package var callCount: Int { 0 }
}

/// How a source wants to be treated.
package enum DiscoveryPrice: Sendable, Equatable {
    /// Costs nothing: asked whenever somebody wants to know.
    case nothing
    /// Costs packets: at most once in ``DiscoveryLimits/freePause``.
    case packets
    /// Costs calls of a quota that others share.
    case calls
}

/// Somebody who may be a node of the cluster.
package struct Peer: Sendable, Hashable {
    package var address: HostPort
    /// `nil`: the source does not know.
    package var role: NodeRole?
    package var zone: String?
    package var source: String

    package init(address: HostPort, role: NodeRole? = nil, zone: String? = nil, source: String) {
        self.address = address
        self.role = role
        self.zone = zone
        self.source = source
    }

    /// Only coordinators let others join. One of unknown role may be one.
    package var isCandidate: Bool { role == nil || role == .coordinator }
}

/// Something that was found and is not used.
package struct LeftOut: Sendable, Hashable {
    /// A machine, a name or an address.
    package var what: String
    package var reason: String
    package var source: String

    package init(what: String, reason: String, source: String) {
        self.what = what
        self.reason = reason
        self.source = source
    }
}

/// What one source answered.
package struct Discovered: Sendable, Equatable {
    package var peers: [Peer] = []
    package var leftOut: [LeftOut] = []
    /// Good for finding somebody, never for saying that somebody is gone.
    package var isPartial = false
    /// Calls of an API that it cost.
    package var callCount = 0

    package init() {}

    /// Everything that nobody joins through, and why.
    package var notCandidates: [LeftOut] {
        leftOut
            + peers.filter { !$0.isCandidate }.map { peer in
                LeftOut(
                    what: "\(peer.address)", reason: "role is \(peer.role?.rawValue ?? "unknown")",
                    source: peer.source)
            }
    }
}

/// The source gave no answer. The caller goes on with the last one it had.
package enum DiscoveryError: Error, Equatable, CustomStringConvertible {
    case unavailable(String)
    case cloud(CloudError)
    case dns(DNSError)

    package var description: String {
        switch self {
        case .unavailable(let text): text
        case .cloud(let error): "\(error)"
        case .dns(let error): "\(error)"
        }
    }

    /// Two of one kind are one line in the log.
    package var kind: String {
        switch self {
        case .unavailable(let text): text
        case .cloud(let error): error.kind
        case .dns(let error): "\(error)"
        }
    }

    /// What the source asks to wait.
    package var retryAfter: Duration? {
        if case .cloud(let error) = self { error.retryAfter } else { nil }
    }
}
