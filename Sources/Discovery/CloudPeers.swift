import Cloud
import Core
import Foundation

/// Turns a cloud's list of machines into peers.
enum CloudPeers {
    /// - Parameter port: Of every node: lists have no ports.
    static func discovered(
        _ list: CloudInstanceList, port: Int, source: String
    ) -> Discovered {
        var found = Discovered()
        found.isPartial = list.isPartial
        found.callCount = list.callCount
        found.leftOut = list.notes.map {
            LeftOut(what: "part of the list", reason: $0, source: source)
        }
        var seen: Set<HostPort> = []
        for instance in list.instances {
            switch peer(instance, port: port, source: source) {
            case .success(let peer):
                // An address belongs to one machine; who is there says who it is.
                if seen.insert(peer.address).inserted { found.peers.append(peer) }
            case .failure(let reason):
                guard found.leftOut.count < DiscoveryLimits.leftOutMax else { continue }
                found.leftOut.append(
                    LeftOut(what: instance.name, reason: reason.text, source: source))
            }
        }
        return found
    }

    private struct Reason: Error { let text: String }

    private static func peer(
        _ instance: CloudInstance, port: Int, source: String
    ) -> Result<Peer, Reason> {
        if case .gone(let word) = instance.state {
            return .failure(Reason(text: "not running (\(word))"))
        }
        guard let text = instance.addresses.first else {
            return .failure(Reason(text: "no address yet"))
        }
        guard let address = address(text, port: port) else {
            return .failure(Reason(text: "'\(text.prefix(64))' is no address"))
        }
        let tag = instance.tags[CloudTag.role] ?? ""
        let role = NodeRole(rawValue: tag)
        guard tag.isEmpty || role != nil else {
            return .failure(
                Reason(
                    text: "\(CloudTag.role)=\(tag.prefix(64)) is no role; write coordinator, "
                        + "storage or gateway"))
        }
        return .success(Peer(address: address, role: role, zone: instance.zone, source: source))
    }

    /// - Returns: `nil` for what is no IPv4 or IPv6 address.
    static func address(_ host: String, port: Int) -> HostPort? {
        var room = in6_addr()
        let family = host.contains(":") ? AF_INET6 : AF_INET
        guard inet_pton(family, host, &room) == 1 else { return nil }
        return HostPort(host: host, port: port)
    }

    static func find(
        _ cloud: Cloud, _ clients: CloudClients, cluster: String, port: Int, source: String
    ) async throws(DiscoveryError) -> Discovered {
        do throws(CloudError) {
            let list = try await clients.instances(
                of: cloud, cluster: cluster, clients.shell.round())
            return discovered(list, port: port, source: source)
        } catch {
            throw .cloud(error)
        }
    }
}
