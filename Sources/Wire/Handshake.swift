import Core
import Messages

/// Why a handshake is refused; the text is for the operator of either side.
struct HandshakeRefusal: Error, Equatable {
    var text: String
}

/// What both sides agree on before the first call. Pure.
enum Handshake {
    static let alpn = "dst/1"
    /// Versions of the node protocol that this program speaks.
    static let versions: ClosedRange<UInt32> = 1...1

    static func hello(
        identity: PeerIdentity, cluster: ClusterID?, lane: Lane, settings: WireSettings
    ) -> ProtoHello {
        var hello = ProtoHello()
        hello.versionMin = versions.lowerBound
        hello.versionMax = versions.upperBound
        hello.cluster = .init(cluster?.bytes ?? [])
        hello.node = .init(identity.node.bytes)
        hello.role = ProtoRole(identity.role)
        hello.lane = UInt32(lane.rawValue)
        hello.streamWindow = UInt32(settings.streamWindowBytes)
        hello.connectionWindow = UInt32(settings.connectionWindowBytes)
        hello.messageBytesMax = UInt32(settings.messageBytesMax)
        return hello
    }

    /// - Parameters:
    ///   - certificate: Who the peer is by its certificate.
    ///   - cluster: Our cluster, if we are in one.
    ///   - expected: Whom we dialled, if we know.
    /// - Returns: The peer's cluster; `nil` if it is in none.
    static func check(
        _ hello: ProtoHello, certificate: PeerIdentity, cluster: ClusterID?, expected: NodeID?
    ) throws(HandshakeRefusal) -> ClusterID? {
        guard hello.versionMin <= versions.upperBound, hello.versionMax >= versions.lowerBound
        else {
            throw HandshakeRefusal(
                text: "the peer speaks versions \(hello.versionMin) to \(hello.versionMax) of the "
                    + "node protocol, we speak \(versions.lowerBound) to \(versions.upperBound)")
        }
        guard let node = NodeID(bytes: hello.node), let role = hello.role.nodeRole,
            PeerIdentity(node: node, role: role) == certificate
        else {
            throw HandshakeRefusal(
                text: "the peer's hello does not name the node of its certificate, \(certificate)")
        }
        if let expected, expected != node {
            throw HandshakeRefusal(text: "wanted node \(expected), found \(certificate)")
        }
        guard hello.streamWindow > 0, hello.connectionWindow > 0, hello.messageBytesMax > 0 else {
            throw HandshakeRefusal(text: "the peer's windows are empty")
        }
        let theirs = ClusterID(bytes: hello.cluster)
        guard hello.cluster.isEmpty || theirs != nil else {
            throw HandshakeRefusal(text: "the peer's cluster UUID is malformed")
        }
        if let cluster, let theirs, cluster != theirs {
            throw HandshakeRefusal(
                text: "the peer is of cluster \(theirs), we are of cluster \(cluster): correct "
                    + "SEED_NODES, or give the node that does not belong an empty data directory")
        }
        return theirs
    }
}

extension ProtoRole {
    package init(_ role: NodeRole) {
        self =
            switch role {
            case .coordinator: .coordinator
            case .storage: .storage
            case .gateway: .gateway
            }
    }

    package var nodeRole: NodeRole? {
        switch self {
        case .coordinator: .coordinator
        case .storage: .storage
        case .gateway: .gateway
        case .unknown, .UNRECOGNIZED: nil
        }
    }
}
