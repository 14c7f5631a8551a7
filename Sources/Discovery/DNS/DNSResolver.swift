import Cloud
import Core
import Synchronization

/// Looks names up: search domains, several servers, aliases, TCP where a reply is cut, a cache.
package final class DNSResolver: Sendable {
    private let fixed: ResolverSettings?
    private let transport: any DNSTransport
    private let clocks: any Clocks
    private let chance: @Sendable () -> UInt16
    private let cache = Mutex(DNSCache())

    /// - Parameters:
    ///   - settings: `nil`: those of /etc/resolv.conf, read anew each time.
    ///   - chance: The id of a question; all that nobody else may know, with the port.
    package init(
        settings: ResolverSettings?, transport: any DNSTransport, clocks: any Clocks,
        chance: @escaping @Sendable () -> UInt16 = { UInt16.random(in: 0...UInt16.max) }
    ) {
        fixed = settings
        self.transport = transport
        self.clocks = clocks
        self.chance = chance
    }

    /// A question and until when there must be an answer.
    private struct Search {
        let settings: ResolverSettings
        let deadline: MonotonicTime
    }

    /// Looks `name` up under its search domains.
    ///
    /// - Returns: Data in no order; empty where no such name exists or it has nothing of the type.
    /// - Throws: ``DNSError`` where a server did not say either.
    package func find(
        _ name: String, _ type: DNSQuestion.RecordType
    ) async throws(DNSError) -> [DNSDatum] {
        let settings = if let fixed { fixed } else { try ResolverSettings.system() }
        let limit = DiscoveryLimits.dnsTime.wholeMilliseconds
        let search = Search(
            settings: settings,
            deadline: MonotonicTime(milliseconds: clocks.monotonic.milliseconds + limit))
        for candidate in settings.candidates(of: name) {
            let data = try await follow(DNSQuestion(name: candidate, type: type), search)
            if !data.isEmpty { return data }
        }
        return []
    }

    private func follow(
        _ question: DNSQuestion, _ search: Search
    ) async throws(DNSError) -> [DNSDatum] {
        var next = question
        for _ in 0...DiscoveryLimits.dnsAliasesMax {
            switch try await answer(next, search) {
            case .found(let data, _): return data
            case .nothing: return []
            case .alias(let name, _): next = DNSQuestion(name: name, type: question.type)
            }
        }
        throw .aliasLoop("\(question.name)")
    }

    private func answer(
        _ question: DNSQuestion, _ search: Search
    ) async throws(DNSError) -> DNSAnswer {
        let now = clocks.monotonic
        if let known = cache.withLock({ $0.answer(question, now) }) { return known }
        let answer = try await ask(question, search)
        cache.withLock { $0.keep(answer, to: question, clocks.monotonic) }
        return answer
    }

    /// Asks one server after the other, all of them ``DiscoveryLimits/dnsTries`` times.
    private func ask(
        _ question: DNSQuestion, _ search: Search
    ) async throws(DNSError) -> DNSAnswer {
        var last = DNSError.silent("\(question.name)", reason: "no time left")
        for _ in 0..<DiscoveryLimits.dnsTries {
            for server in search.settings.servers {
                if Task.isCancelled { throw .cancelled }
                do throws(DNSError) {
                    return try await ask(question, server, search)
                } catch {
                    if case .aliasLoop = error { throw error }
                    last = error
                }
            }
        }
        throw last
    }

    private func ask(
        _ question: DNSQuestion, _ server: HostPort, _ search: Search
    ) async throws(DNSError) -> DNSAnswer {
        let reply: DNSReply
        do throws(DNSTransportError) {
            reply = try await exchange(question, server, search)
        } catch {
            throw .silent("\(question.name)", reason: "\(server): \(error)")
        }
        return try DNSAnswer(reply, to: question)
    }

    /// By datagram, and by TCP where the reply does not fit one.
    private func exchange(
        _ question: DNSQuestion, _ server: HostPort, _ search: Search
    ) async throws(DNSTransportError) -> DNSReply {
        let id = chance()
        let query = DNSMessage.query(id: id, question)
        for isStream in [false, true] {
            let now = clocks.monotonic
            guard now < search.deadline else { throw .late }
            let left = search.deadline.milliseconds - now.milliseconds
            let bytes = try await transport.exchange(
                query, with: server, isStream: isStream,
                within: min(.milliseconds(left), DiscoveryLimits.dnsTryTime)
            ) { DNSMessage.parse($0)?.answers(question, id: id) ?? false }
            guard let reply = DNSMessage.parse(bytes) else { throw .failed("no reply") }
            if !reply.isTruncated { return reply }
        }
        throw .failed("a reply that is cut even over TCP")
    }
}
