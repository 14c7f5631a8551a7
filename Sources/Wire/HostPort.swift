/// `host:port`, where an IPv6 address stands in brackets.
struct HostPort: Hashable, Sendable {
    var host: String
    var port: Int

    /// - Returns: `nil` unless there is a host and a port of 0...65,535.
    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"),
            let port = Int(text[text.index(after: colon)...]), (0...65_535).contains(port)
        else { return nil }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        self.host = String(host)
        self.port = port
    }
}
