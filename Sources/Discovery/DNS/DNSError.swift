/// A name could not be looked up now.
package enum DNSError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Nobody to ask: no `nameserver` in /etc/resolv.conf.
    case noServer(String)
    /// No server answered in time or at all; the last reason.
    case silent(String, reason: String)
    /// Every server that answered failed.
    case refused(String, code: UInt8)
    case aliasLoop(String)
    case cancelled

    package var description: String {
        switch self {
        case .noServer(let path):
            "\(path) names no server; set DISCOVERY_DNS_SERVER to host:port of one"
        case .silent(let name, let reason):
            "no DNS server answers for \(name) (\(reason)); check /etc/resolv.conf or "
                + "DISCOVERY_DNS_SERVER"
        case .refused(let name, let code):
            "the DNS server answers \(Self.word(code)) for \(name); it is asked again"
        case .aliasLoop(let name):
            "\(name) has too many aliases (CNAME), or they form a loop; check its zone"
        case .cancelled: "cancelled"
        }
    }

    private static func word(_ code: UInt8) -> String {
        switch code {
        case 1: "FORMERR"
        case 2: "SERVFAIL"
        case 4: "NOTIMP"
        case 5: "REFUSED"
        default: "error \(code)"
        }
    }
}
