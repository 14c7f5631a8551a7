/// The messages of DNS (RFC 1035 section 4), as far as a client needs them.
///
/// ```
/// 0  id  2  flags  4  questions  6  answers  8  authorities  10  additionals  12  …
/// ```
enum DNSMessage {
    static let headerBytes = 12

    /// A question for a resolver that does the work (RD), with the size of datagrams that we take
    /// (EDNS, RFC 6891).
    static func query(id: UInt16, _ question: DNSQuestion) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBig(id)
        bytes.appendBig(UInt16(0x0100))
        for count in [1, 0, 0, 1] as [UInt16] { bytes.appendBig(count) }
        for label in question.name.labels {
            bytes.append(UInt8(label.count))
            bytes += label
        }
        bytes.append(0)
        bytes.appendBig(question.type.rawValue)
        bytes.appendBig(internet)
        // OPT: the root's name, the type, our size instead of a class, no flags, no options.
        bytes.append(0)
        bytes.appendBig(UInt16(41))
        bytes.appendBig(UInt16(DiscoveryLimits.dnsDatagramBytes))
        bytes += [0, 0, 0, 0, 0, 0]
        return bytes
    }

    static let internet: UInt16 = 1

    /// Reads a reply. Never fails on more than the message's own length; work is bounded by it.
    ///
    /// - Returns: `nil` for what is no reply to a question.
    static func parse(_ bytes: [UInt8]) -> DNSReply? {
        guard bytes.count <= DiscoveryLimits.dnsMessageBytesMax else { return nil }
        var reader = DNSReader(bytes: bytes)
        guard let id = reader.number(), let flags = reader.number(),
            let questionCount = reader.number(), let answerCount = reader.number(),
            let authorityCount = reader.number(), let additionalCount = reader.number(),
            // A response (QR) to a standard query (opcode 0).
            flags & 0xF800 == 0x8000, questionCount == 1,
            let name = reader.name(), let type = reader.number(), let family = reader.number(),
            family == internet
        else { return nil }
        var reply = DNSReply(
            id: id, name: name, type: type, isTruncated: flags & 0x0200 != 0,
            code: UInt8(flags & 0x000F))
        // What is cut off counts for nothing; TCP brings the whole.
        if reply.isTruncated { return reply }
        let total = Int(answerCount) + Int(authorityCount) + Int(additionalCount)
        guard total <= DiscoveryLimits.dnsRecordsMax else { return nil }
        for index in 0..<(Int(answerCount) + Int(authorityCount)) {
            guard let record = reader.record() else { return nil }
            if index < Int(answerCount) {
                reply.answers.append(record)
            } else {
                reply.authorities.append(record)
            }
        }
        return reply
    }
}

/// What is asked for.
package struct DNSQuestion: Hashable, Sendable {
    package enum RecordType: UInt16, Sendable {
        case a = 1
        case aaaa = 28
        case srv = 33
    }

    let name: DNSName
    let type: RecordType
}

struct DNSReply: Equatable, Sendable {
    var id: UInt16
    /// The question as it was repeated.
    var name: DNSName
    var type: UInt16
    var isTruncated: Bool
    /// 0 fine, 2 server failure, 3 no such name, … (RFC 1035 section 4.1.1).
    var code: UInt8
    var answers: [DNSRecord] = []
    var authorities: [DNSRecord] = []

    /// Whether this answers that question: a stranger would have to guess id, port and question.
    func answers(_ question: DNSQuestion, id: UInt16) -> Bool {
        self.id == id && name == question.name && type == question.type.rawValue
    }
}

struct DNSRecord: Equatable, Sendable {
    enum Content: Equatable, Sendable {
        case address4([UInt8])
        case address6([UInt8])
        case alias(DNSName)
        case service(target: DNSName, port: Int)
        /// Of a zone's start: how long a "no" may be kept, in seconds.
        case authority(minimum: UInt32)
        case other
    }

    let name: DNSName
    /// Seconds.
    let ttl: UInt32
    let content: Content
}

extension [UInt8] {
    fileprivate mutating func appendBig(_ number: UInt16) {
        append(UInt8(number >> 8))
        append(UInt8(number & 0xFF))
    }
}
