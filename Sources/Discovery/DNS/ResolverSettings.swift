import Core
import Foundation

/// Whom to ask, and what to add to short names (resolv.conf(5)).
package struct ResolverSettings: Equatable, Sendable {
    package var servers: [HostPort]
    package var searches: [DNSName]
    /// A name with at least this many dots is tried as it is first.
    package var dots: Int

    package static let path = "/etc/resolv.conf"
    static let port = 53

    package init(servers: [HostPort], searches: [DNSName] = [], dots: Int = 1) {
        self.servers = servers
        self.searches = searches
        self.dots = dots
    }

    /// Reads the file's text. What can't be understood is skipped, as resolvers do.
    package init(text: String) {
        self.init(servers: [])
        for line in text.split(whereSeparator: \.isNewline) {
            let code = line.prefix { $0 != "#" && $0 != ";" }
            let words = code.split(whereSeparator: \.isWhitespace)
            guard words.count >= 2 else { continue }
            switch words[0] {
            case "nameserver": add(server: String(words[1]))
            case "search", "domain":
                // The last of several lines counts.
                searches = Array(
                    words.dropFirst().compactMap { DNSName($0) }
                        .prefix(DiscoveryLimits.dnsSearchMax))
            case "options":
                for word in words.dropFirst() where word.hasPrefix("ndots:") {
                    if let count = Int(word.dropFirst(6)) {
                        dots = max(0, min(count, DiscoveryLimits.dnsDotsMax))
                    }
                }
            default: continue
            }
        }
    }

    private mutating func add(server: String) {
        guard servers.count < DiscoveryLimits.dnsServersMax else { return }
        // `fe80::1%eth0`: the zone belongs to the address and is not served.
        let host = server.contains(":") ? "[\(server)]" : server
        if let address = HostPort(host, defaultPort: Self.port) { servers.append(address) }
    }

    /// The names to try, in order.
    package func candidates(of text: String) -> [DNSName] {
        guard let name = DNSName(text) else { return [] }
        if text.hasSuffix(".") { return [name] }
        let long = searches.compactMap { name.under($0) }
        return name.labels.count - 1 >= dots ? [name] + long : long + [name]
    }

    /// Reads /etc/resolv.conf, which may change at any time.
    ///
    /// - Throws: ``DNSError/noServer(_:)``.
    static func system(path: String = path) throws(DNSError) -> ResolverSettings {
        let handle = FileHandle(forReadingAtPath: path)
        defer { try? handle?.close() }
        let data = try? handle?.read(upToCount: DiscoveryLimits.resolvConfBytesMax)
        let settings = ResolverSettings(text: String(decoding: data ?? Data(), as: UTF8.self))
        guard !settings.servers.isEmpty else { throw .noServer(path) }
        return settings
    }
}

extension ResolverSettings {
    /// One server, and names as they are.
    package static func only(_ server: HostPort) -> ResolverSettings {
        ResolverSettings(servers: [server])
    }
}
