import Cloud
import Core

/// One entry of `DISCOVERY_DNS_NAMES`.
package enum DNSDiscoveryName: Hashable, Sendable {
    /// `name:port`: its addresses (A and AAAA) with that port.
    case host(HostPort)
    /// `_dst._tcp.name`: services (SRV), and the addresses of their targets.
    case service(String)

    /// - Returns: `nil` for what is neither.
    package init?(_ text: String) {
        if text.hasPrefix("_") {
            guard DNSName(text) != nil, text.contains(".") else { return nil }
            self = .service(text)
        } else {
            // A dot at the end keeps search domains away; it belongs to no host name elsewhere.
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            let isAbsolute = parts.count == 2 && parts[0].hasSuffix(".")
            let plain = isAbsolute ? "\(parts[0].dropLast()):\(parts[1])" : text
            guard let parsed = HostPort(plain) else { return nil }
            self = .host(
                isAbsolute ? HostPort(host: parsed.host + ".", port: parsed.port) : parsed)
        }
    }

    package var description: String {
        switch self {
        case .host(let address): "\(address)"
        case .service(let name): name
        }
    }
}

/// `dns`: whoever is behind some names. DNS knows neither roles nor zones.
package struct DNSDiscovery: DiscoveryPlugin {
    private let names: [DNSDiscoveryName]
    private let resolver: DNSResolver

    package init(names: [DNSDiscoveryName], resolver: DNSResolver) {
        self.names = Array(names.prefix(DiscoveryLimits.dnsNamesMax))
        self.resolver = resolver
    }

    package var name: String { "dns" }
    package var price: DiscoveryPrice { .packets }

    /// What one name led to.
    private struct Outcome: Sendable {
        let name: DNSDiscoveryName
        var addresses: [HostPort] = []
        /// `nil`: the name was looked up.
        var error: DNSError?
    }

    /// Looks all names up at once. One that fails hides no other's addresses.
    ///
    /// - Throws: Where all fail.
    package func find() async throws(DiscoveryError) -> Discovered {
        let outcomes = await withTaskGroup(of: Outcome.self) { group in
            for name in names { group.addTask { await look(name) } }
            var outcomes: [Outcome] = []
            for await outcome in group { outcomes.append(outcome) }
            return outcomes.sorted { $0.name.description < $1.name.description }
        }
        if let error = outcomes.first?.error, outcomes.allSatisfy({ $0.error != nil }) {
            throw .dns(error)
        }
        var found = Discovered()
        var seen: Set<HostPort> = []
        for outcome in outcomes {
            if let error = outcome.error {
                found.isPartial = true
                leaveOut(outcome, "\(error)", &found)
            } else if outcome.addresses.isEmpty {
                leaveOut(outcome, Self.nothing, &found)
            }
            for address in outcome.addresses where seen.insert(address).inserted {
                found.peers.append(Peer(address: address, source: name))
            }
        }
        return found
    }

    private static let nothing =
        "no such name, or it has no address; check DISCOVERY_DNS_NAMES and the name's zone"

    private func leaveOut(_ outcome: Outcome, _ reason: String, _ found: inout Discovered) {
        found.leftOut.append(
            LeftOut(what: outcome.name.description, reason: reason, source: name))
    }

    private func look(_ name: DNSDiscoveryName) async -> Outcome {
        var outcome = Outcome(name: name)
        do throws(DNSError) {
            switch name {
            case .host(let host): outcome.addresses = try await addresses(of: host)
            case .service(let text): outcome.addresses = try await services(text)
            }
        } catch {
            outcome.error = error
        }
        return outcome
    }

    /// A and AAAA at once; one that fails is no loss where the other brings addresses.
    private func addresses(of host: HostPort) async throws(DNSError) -> [HostPort] {
        if isAddress(host.host) { return [host] }
        async let four = result(host.host, .a)
        async let six = result(host.host, .aaaa)
        let results = [await four, await six]
        var addresses: [HostPort] = []
        var failure: DNSError?
        for result in results {
            switch result {
            case .success(let data):
                for case .address(let text) in data {
                    addresses += CloudPeers.address(text, port: host.port).map { [$0] } ?? []
                }
            case .failure(let error): failure = error
            }
        }
        if addresses.isEmpty, let failure { throw failure }
        return addresses.sorted { "\($0)" < "\($1)" }
    }

    private func isAddress(_ host: String) -> Bool {
        host.contains(":") || host.utf8.allSatisfy { "0123456789.".utf8.contains($0) }
    }

    private func result(
        _ name: String, _ type: DNSQuestion.RecordType
    ) async -> Result<[DNSDatum], DNSError> {
        do throws(DNSError) {
            return .success(try await resolver.find(name, type))
        } catch {
            return .failure(error)
        }
    }

    /// Targets are looked up ``DiscoveryLimits/dnsLookUpsMax`` at a time. Priority and weight don't
    /// matter: every node is asked.
    private func services(_ name: String) async throws(DNSError) -> [HostPort] {
        var targets: Set<HostPort> = []
        for case .service(let target, let port) in try await resolver.find(name, .srv) {
            // A target is a whole name: no search domain belongs behind it.
            targets.insert(HostPort(host: "\(target).", port: port))
        }
        let ordered = targets.sorted { "\($0)" < "\($1)" }.prefix(DiscoveryLimits.dnsTargetsMax)
        var addresses: [HostPort] = []
        var failure: DNSError?
        for batch in ordered.batches(of: DiscoveryLimits.dnsLookUpsMax) {
            for result in await lookUp(batch) {
                switch result {
                case .success(let found): addresses += found
                case .failure(let error): failure = error
                }
            }
        }
        if addresses.isEmpty, let failure { throw failure }
        return addresses
    }

    private func lookUp(_ targets: ArraySlice<HostPort>) async -> [Result<[HostPort], DNSError>] {
        await withTaskGroup(of: Result<[HostPort], DNSError>.self) { group in
            for target in targets {
                group.addTask {
                    do throws(DNSError) {
                        return .success(try await addresses(of: target))
                    } catch {
                        return .failure(error)
                    }
                }
            }
            var results: [Result<[HostPort], DNSError>] = []
            for await result in group { results.append(result) }
            return results
        }
    }
}

extension ArraySlice {
    fileprivate func batches(of size: Int) -> [ArraySlice] {
        stride(from: startIndex, to: endIndex, by: size).map {
            self[$0..<Swift.min($0 + size, endIndex)]
        }
    }
}
