import Core

/// What a reply says to a question.
package enum DNSAnswer: Equatable, Sendable {
    /// Data of the type that was asked for; not empty.
    case found([DNSDatum], ttl: Duration)
    /// Another name has it, and the reply does not say what; it is asked next.
    case alias(DNSName, ttl: Duration)
    /// The name has nothing of the type, or does not exist.
    case nothing(exists: Bool, ttl: Duration)

    package var ttl: Duration {
        switch self {
        case .found(_, let ttl), .alias(_, let ttl), .nothing(_, let ttl): ttl
        }
    }
}

package enum DNSDatum: Hashable, Sendable {
    /// As text.
    case address(String)
    case service(target: DNSName, port: Int)
}

extension DNSAnswer {
    /// Follows the aliases inside a reply, ``DiscoveryLimits/dnsAliasesMax`` at most.
    ///
    /// - Throws: ``DNSError/refused(_:code:)``, ``DNSError/aliasLoop(_:)``.
    init(_ reply: DNSReply, to question: DNSQuestion) throws(DNSError) {
        guard reply.code == 0 || reply.code == 3 else {
            throw .refused("\(question.name)", code: reply.code)
        }
        var name = question.name
        var ttl = DiscoveryLimits.dnsTTLMax
        for _ in 0...DiscoveryLimits.dnsAliasesMax {
            let own = reply.answers.filter { $0.name == name }
            let data = own.compactMap { record in
                Self.datum(record.content, question.type).map { ($0, record.ttl) }
            }
            if !data.isEmpty {
                for (_, seconds) in data { ttl = min(ttl, .seconds(Int64(seconds))) }
                let unique = Array(Set(data.map(\.0))).prefix(DiscoveryLimits.dnsAddressesMax)
                self = .found(Array(unique), ttl: Self.bounded(ttl))
                return
            }
            let alias = own.lazy.compactMap { record -> (DNSName, UInt32)? in
                if case .alias(let target) = record.content { (target, record.ttl) } else { nil }
            }.first
            guard let alias else {
                self = Self.ending(reply, at: name, question, ttl)
                return
            }
            name = alias.0
            ttl = min(ttl, .seconds(Int64(alias.1)))
        }
        throw .aliasLoop("\(question.name)")
    }

    /// Nothing of `name` is in the reply.
    private static func ending(
        _ reply: DNSReply, at name: DNSName, _ question: DNSQuestion, _ ttl: Duration
    ) -> DNSAnswer {
        if name != question.name, reply.code == 0, reply.authorities.isEmpty {
            return .alias(name, ttl: bounded(ttl))
        }
        // The lesser of the record's TTL and its field (RFC 2308 section 5); without one, briefly.
        let start = reply.authorities.lazy.compactMap { record -> UInt32? in
            if case .authority(let minimum) = record.content {
                min(minimum, record.ttl)
            } else {
                nil
            }
        }.first
        let seconds = start.map { Duration.seconds(Int64($0)) } ?? .zero
        return .nothing(exists: reply.code == 0, ttl: bounded(min(ttl, seconds)))
    }

    private static func datum(
        _ content: DNSRecord.Content, _ type: DNSQuestion.RecordType
    ) -> DNSDatum? {
        switch (content, type) {
        case (.address4(let bytes), .a):
            .address(bytes.map(String.init).joined(separator: "."))
        case (.address6(let bytes), .aaaa): .address(IPv6Text.text(bytes))
        case (.service(let target, let port), .srv):
            // The root as target says that there is no such service (RFC 2782).
            target.isRoot || port == 0 ? nil : .service(target: target, port: port)
        default: nil
        }
    }

    private static func bounded(_ ttl: Duration) -> Duration {
        min(max(ttl, DiscoveryLimits.dnsTTLMin), DiscoveryLimits.dnsTTLMax)
    }
}

/// IPv6 addresses as RFC 5952 writes them.
enum IPv6Text {
    /// - Parameter bytes: 16.
    static func text(_ bytes: [UInt8]) -> String {
        let groups = stride(from: 0, to: 16, by: 2).map {
            UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1])
        }
        // The first of the longest runs of two or more zeros becomes `::`.
        var best = 0..<0
        var start = 0
        while start < 8 {
            let end = groups[start...].firstIndex { $0 != 0 } ?? 8
            if end - start > max(1, best.count) { best = start..<end }
            start = max(end, start) + 1
        }
        func words(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        if best.isEmpty { return words(groups[...]) }
        return words(groups[..<best.lowerBound]) + "::" + words(groups[best.upperBound...])
    }
}
