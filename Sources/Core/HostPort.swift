/// Where a node can be reached: a host name or an address, and a port.
package struct HostPort: Hashable, Sendable, CustomStringConvertible {
    /// The port that nodes listen on unless told otherwise.
    package static let defaultPort = 9000

    /// A DNS name, an IPv4 address or an IPv6 address without brackets.
    package let host: String
    /// 1...65535, or 0 to listen on any that is free.
    package let port: Int

    package init(host: String, port: Int) {
        precondition((0...65535).contains(port))
        self.host = host
        self.port = port
    }

    /// Reads `host:port`, `host`, `1.2.3.4:port`, `[::1]:port` and `[::1]`.
    ///
    /// - Parameters:
    ///   - defaultPort: Taken where `text` names none; `nil`: the port must be there.
    ///   - mayBeAny: Port 0 counts.
    /// - Returns: `nil` for anything else.
    package init?(
        _ text: some StringProtocol, defaultPort: Int? = nil, mayBeAny: Bool = false
    ) {
        let host: Substring
        let rest: Substring
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { return nil }
            host = Substring(text[text.index(after: text.startIndex)..<end])
            rest = Substring(text[text.index(after: end)...])
            guard host.contains(":"), host.utf8.allSatisfy(Self.isAddress6) else { return nil }
        } else {
            host = Substring(text.prefix { $0 != ":" })
            rest = Substring(text.dropFirst(host.count))
            guard Self.isName(host) else { return nil }
        }
        if rest.isEmpty {
            guard let defaultPort else { return nil }
            self.init(host: String(host), port: defaultPort)
        } else {
            let digits = rest.dropFirst()
            guard rest.first == ":", digits.utf8.count <= 5, digits.utf8.allSatisfy(Self.isDigit),
                let port = Int(digits), ((mayBeAny ? 0 : 1)...65535).contains(port)
            else { return nil }
            self.init(host: String(host), port: port)
        }
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Listens on every interface, so nobody can be told to connect to it.
    package var isWildcard: Bool { host == "0.0.0.0" || host == "::" }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isAddress6(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: ":"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    /// RFC 1123 labels, and the underscore that compose puts into names. All digits and dots must
    /// be an IPv4 address.
    private static func isName(_ host: Substring) -> Bool {
        guard (1...253).contains(host.utf8.count) else { return false }
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        if labels.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy(isDigit) }) {
            return labels.count == 4
                && labels.allSatisfy { UInt8($0) != nil && ($0 == "0" || $0.first != "0") }
        }
        return labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "0")...UInt8(ascii: "9"),
                        UInt8(ascii: "a")...UInt8(ascii: "z"),
                        UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "_"):
                        true
                    default: false
                    }
                }
        }
    }
}
