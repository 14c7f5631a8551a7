import Cloud
import Core
import Foundation
import Synchronization

@testable import Discovery

/// Answers from a script; the last answer stays.
final class ScriptedPlugin: DiscoveryPlugin {
    typealias Answer = Result<Discovered, DiscoveryError>

    let name: String
    let price: DiscoveryPrice
    private let answers: Mutex<[Answer]>
    private let asked = Mutex(0)

    init(_ answers: [Answer], name: String = "scripted", price: DiscoveryPrice = .nothing) {
        self.answers = Mutex(answers)
        self.name = name
        self.price = price
    }

    var askedCount: Int { asked.withLock { $0 } }

    func find() async throws(DiscoveryError) -> Discovered {
        asked.withLock { $0 += 1 }
        let answer = answers.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
        return try answer.get()
    }
}

extension ScriptedPlugin.Answer {
    static func peers(_ addresses: String..., isPartial: Bool = false) -> Self {
        var found = Discovered()
        found.peers = addresses.compactMap { HostPort($0) }.map { Peer(address: $0, source: "x") }
        found.isPartial = isPartial
        found.callCount = 1
        return .success(found)
    }

    static var down: Self { .failure(.unavailable("down")) }
}

/// Time that tests move.
final class ManualClocks: Clocks {
    private let milliseconds = Mutex<Int64>(1_700_000_000_000)

    var wall: WallTime { WallTime(milliseconds: milliseconds.withLock { $0 }) }
    var monotonic: MonotonicTime {
        MonotonicTime(milliseconds: UInt64(milliseconds.withLock { $0 }))
    }

    func advance(_ duration: Duration) {
        milliseconds.withLock { $0 += Int64(duration.wholeMilliseconds) }
    }
}

/// A zone as a dictionary, answered as a server does.
struct DNSZone: Sendable {
    enum Data: Sendable {
        case a(String)
        case cname(String)
        case srv(String, Int)
    }

    var records: [String: [Data]] = [:]
    var ttl: UInt32 = 60
    /// No such name, or a name without the type, is said with a SOA.
    var negativeTTL: UInt32 = 60

    func reply(to query: [UInt8], isTruncated: Bool = false) -> [UInt8] {
        var reader = DNSReader(bytes: query)
        for _ in 0..<6 { _ = reader.number() }
        guard let name = reader.name(), let type = reader.number() else { return [] }
        let question = Array(query[12..<(reader.position + 2)])
        var answers: [UInt8] = []
        var count = 0
        var at = name
        var chain = 0
        while chain < 3, case .cname(let target)? = records["\(at)"]?.first {
            answers += record(at, 5, Self.encoded(target))
            count += 1
            chain += 1
            at = DNSName(target)!
        }
        for datum in records["\(at)"] ?? [] {
            switch datum {
            case .a(let text) where type == 1:
                answers += record(at, 1, text.split(separator: ".").map { UInt8($0)! })
            case .srv(let target, let port) where type == 33:
                answers += record(
                    at, 33,
                    [0, 1, 0, 1, UInt8(port >> 8), UInt8(port & 255)] + Self.encoded(target))
            default: continue
            }
            count += 1
        }
        let exists = records["\(name)"] != nil
        let code: UInt8 = exists ? 0 : 3
        var authority: [UInt8] = []
        if count == 0 {
            authority = [0] + [0, 6, 0, 1] + Self.big(negativeTTL)
            let data = [UInt8](repeating: 0, count: 18) + Self.big(negativeTTL)
            authority += [0, UInt8(data.count)] + data
        }
        return Array(query[0..<2]) + [
            isTruncated ? 0x83 : 0x81, 0x80 | code, 0, 1, 0, UInt8(count),
        ]
            + [0, count == 0 ? 1 : 0, 0, 0] + question + answers + authority
    }

    private func record(_ name: DNSName, _ type: UInt8, _ data: [UInt8]) -> [UInt8] {
        Self.encoded("\(name)") + [0, type, 0, 1] + Self.big(ttl)
            + [UInt8(data.count >> 8), UInt8(data.count & 255)] + data
    }

    static func big(_ number: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    static func encoded(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }
}

/// Servers by address, each a closure; records what was asked.
final class ScriptedDNS: DNSTransport {
    typealias Server = @Sendable (_ query: [UInt8], _ isStream: Bool) -> [UInt8]?

    private let servers: [HostPort: Server]
    private let asked = Mutex<[String]>([])

    init(_ servers: [HostPort: Server]) { self.servers = servers }

    convenience init(_ zone: DNSZone, at server: HostPort = ScriptedDNS.server) {
        self.init([server: { query, _ in zone.reply(to: query) }])
    }

    static let server = HostPort(host: "10.0.0.53", port: 53)

    /// `host name type`, in order.
    var questions: [String] { asked.withLock { $0 } }

    func exchange(
        _ query: [UInt8], with server: HostPort, isStream: Bool, within limit: Duration,
        isReply: @escaping @Sendable ([UInt8]) -> Bool
    ) async throws(DNSTransportError) -> [UInt8] {
        var reader = DNSReader(bytes: query)
        for _ in 0..<6 { _ = reader.number() }
        let name = reader.name().map { "\($0)" } ?? "?"
        let type = reader.number() ?? 0
        asked.withLock { $0.append("\(isStream ? "tcp" : "udp") \(name) \(type)") }
        guard let reply = servers[server]?(query, isStream), isReply(reply) else { throw .late }
        return reply
    }
}
