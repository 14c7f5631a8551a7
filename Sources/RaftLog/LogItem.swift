import Core
import Raft

/// What a record is made of. Little-endian.
///
/// | offset | bytes | field    |                                                               |
/// |-------:|------:|----------|---------------------------------------------------------------|
/// |      0 |     1 | kind     | 1 entry, 2 hard state, 3 mark, 4 reset, 5 removal             |
/// |      1 |     1 | payload  | of an entry: 0 empty, 1 command, 2 membership; else 0         |
/// |      2 |     2 |          | 0                                                             |
/// |      4 |     4 | range    | the group                                                     |
/// |      8 |     4 | length   | bytes of body, which follows                                  |
/// |     12 |     4 | checksum | CRC-32C of bytes 0..<12 and the body                          |
///
/// | body of    |                                                                                |
/// |------------|--------------------------------------------------------------------------------|
/// | entry      | term 8, index 8, then the command's bytes or the membership                     |
/// | hard state | term 8, then nothing or the 16 bytes of the node voted for                      |
/// | mark       | index 8, term 8, membership: entries up to here are not needed                  |
/// | reset      | as mark; entries after it are gone too                                          |
/// | removal    | nothing: the group is gone                                                      |
///
/// Membership: version 1 (1 byte), voters (1), learners (1), 0 (1), then 16 bytes for each node.
///
/// The checksum of the item, beside that of the record, lets one entry be read and verified alone.
enum LogItem: Hashable {
    case entry(RangeID, RaftEntry)
    case hardState(RangeID, HardState)
    case mark(RangeID, SnapshotMark)
    case reset(RangeID, SnapshotMark)
    case removal(RangeID)

    static let headerBytes = 16
    static let membershipVersion: UInt8 = 1

    private enum Kind {
        static let entry: UInt8 = 1
        static let hardState: UInt8 = 2
        static let mark: UInt8 = 3
        static let reset: UInt8 = 4
        static let removal: UInt8 = 5
    }

    private enum PayloadKind {
        static let empty: UInt8 = 0
        static let command: UInt8 = 1
        static let membership: UInt8 = 2
    }

    /// Encoded size, to see what fits before encoding.
    var byteCount: Int {
        let body =
            switch self {
            case .entry(_, let entry):
                switch entry.payload {
                case .empty: 16
                case .command(let bytes): 16 + bytes.count
                case .membership(let membership): 16 + Self.byteCount(of: membership)
                }
            case .hardState(_, let state): state.votedFor == nil ? 8 : 24
            case .mark(_, let mark), .reset(_, let mark): 16 + Self.byteCount(of: mark.membership)
            case .removal: 0
            }
        return Self.headerBytes + body
    }

    private static func byteCount(of membership: Membership) -> Int {
        4 + (membership.voters.count + membership.learners.count) * NodeID.byteCount
    }
}

// MARK: Encoding

extension LogItem {
    func encode(to writer: inout ByteWriter) {
        let start = writer.count
        switch self {
        case .entry(let range, let entry):
            Self.encodeHeader(Kind.entry, Self.payloadKind(of: entry.payload), range, to: &writer)
            writer.append(entry.term.rawValue)
            writer.append(entry.index.rawValue)
            switch entry.payload {
            case .empty: break
            case .command(let bytes): writer.append(contentsOf: bytes)
            case .membership(let membership): Self.encode(membership, to: &writer)
            }
        case .hardState(let range, let state):
            Self.encodeHeader(Kind.hardState, 0, range, to: &writer)
            writer.append(state.term.rawValue)
            if let node = state.votedFor { writer.append(contentsOf: node.bytes) }
        case .mark(let range, let mark):
            Self.encodeHeader(Kind.mark, 0, range, to: &writer)
            Self.encode(mark, to: &writer)
        case .reset(let range, let mark):
            Self.encodeHeader(Kind.reset, 0, range, to: &writer)
            Self.encode(mark, to: &writer)
        case .removal(let range):
            Self.encodeHeader(Kind.removal, 0, range, to: &writer)
        }
        assert(writer.count - start == byteCount)
        writer.set(UInt32(writer.count - start - Self.headerBytes), at: start + 8)
        writer.set(Self.checksum(writer.bytes, start..<writer.count), at: start + 12)
    }

    private static func encodeHeader(
        _ kind: UInt8, _ payload: UInt8, _ range: RangeID, to writer: inout ByteWriter
    ) {
        writer.append(kind)
        writer.append(payload)
        writer.append(UInt16(0))
        writer.append(range.rawValue)
        writer.append(UInt64(0))  // Length and checksum, known at the end.
    }

    private static func payloadKind(of payload: RaftEntry.Payload) -> UInt8 {
        switch payload {
        case .empty: PayloadKind.empty
        case .command: PayloadKind.command
        case .membership: PayloadKind.membership
        }
    }

    private static func encode(_ mark: SnapshotMark, to writer: inout ByteWriter) {
        writer.append(mark.position.index.rawValue)
        writer.append(mark.position.term.rawValue)
        encode(mark.membership, to: &writer)
    }

    private static func encode(_ membership: Membership, to writer: inout ByteWriter) {
        precondition(membership.voters.count <= 255)
        precondition(membership.learners.count <= 255)
        writer.append(membershipVersion)
        writer.append(UInt8(membership.voters.count))
        writer.append(UInt8(membership.learners.count))
        writer.append(UInt8(0))
        for node in membership.voters { writer.append(contentsOf: node.bytes) }
        for node in membership.learners { writer.append(contentsOf: node.bytes) }
    }

    private static func checksum(_ bytes: [UInt8], _ item: Range<Int>) -> UInt32 {
        var sum = CRC32C()
        bytes.withUnsafeBytes { all in
            let bytes = UnsafeRawBufferPointer(rebasing: all[item])
            sum.update(UnsafeRawBufferPointer(rebasing: bytes[..<12]))
            sum.update(UnsafeRawBufferPointer(rebasing: bytes[headerBytes...]))
        }
        return sum.value
    }
}

// MARK: Decoding

extension LogItem {
    /// Takes one item off `bytes` at `offset` and moves `offset` behind it.
    ///
    /// - Returns: `nil` if it is no item of this version or its checksum does not match.
    static func decode(_ bytes: [UInt8], at offset: inout Int, to end: Int) -> LogItem? {
        var header = ByteReader(bytes, from: offset, to: end)
        guard let kind = header.next(UInt8.self), let payload = header.next(UInt8.self),
            header.next(UInt16.self) == 0, let range = header.next(UInt32.self),
            let length = header.next(UInt32.self), let checksum = header.next(UInt32.self),
            header.remaining >= Int(length)
        else { return nil }
        let itemEnd = header.offset + Int(length)
        guard Self.checksum(bytes, offset..<itemEnd) == checksum else { return nil }
        var body = ByteReader(bytes, from: header.offset, to: itemEnd)
        let item = decode(kind, payload, RangeID(rawValue: range), &body)
        guard item != nil, body.remaining == 0 else { return nil }
        offset = itemEnd
        return item
    }

    private static func decode(
        _ kind: UInt8, _ payload: UInt8, _ range: RangeID, _ body: inout ByteReader
    ) -> LogItem? {
        switch kind {
        case Kind.entry: return decodeEntry(payload, range, &body)
        case Kind.hardState:
            guard let term = decodeNumber(&body) else { return nil }
            var node: NodeID?
            if body.remaining > 0 {
                guard let voted = decodeNode(&body) else { return nil }
                node = voted
            }
            return .hardState(range, HardState(term: Term(rawValue: term), votedFor: node))
        case Kind.mark: return decodeMark(&body).map { .mark(range, $0) }
        case Kind.reset: return decodeMark(&body).map { .reset(range, $0) }
        case Kind.removal: return .removal(range)
        default: return nil
        }
    }

    private static func decodeEntry(
        _ kind: UInt8, _ range: RangeID, _ body: inout ByteReader
    ) -> LogItem? {
        guard let term = decodeNumber(&body), let index = decodeNumber(&body) else { return nil }
        let payload: RaftEntry.Payload
        switch kind {
        case PayloadKind.empty: payload = .empty
        case PayloadKind.command:
            guard let bytes = body.next(count: body.remaining) else { return nil }
            payload = .command(bytes)
        case PayloadKind.membership:
            guard let membership = decodeMembership(&body) else { return nil }
            payload = .membership(membership)
        default: return nil
        }
        return .entry(
            range,
            RaftEntry(
                term: Term(rawValue: term), index: LogIndex(rawValue: index), payload: payload))
    }

    private static func decodeMark(_ body: inout ByteReader) -> SnapshotMark? {
        guard let index = decodeNumber(&body), let term = decodeNumber(&body),
            let membership = decodeMembership(&body)
        else { return nil }
        return SnapshotMark(
            position: LogPosition(index: LogIndex(rawValue: index), term: Term(rawValue: term)),
            membership: membership)
    }

    /// A term or an index. They grow by steps: none ever comes near the limit, so what is beyond
    /// was never written, and what is within can be added to.
    private static func decodeNumber(_ body: inout ByteReader) -> UInt64? {
        body.next(UInt64.self).flatMap { $0 <= RaftLogLimits.numberMax ? $0 : nil }
    }

    private static func decodeMembership(_ body: inout ByteReader) -> Membership? {
        guard body.next(UInt8.self) == membershipVersion, let voters = body.next(UInt8.self),
            let learners = body.next(UInt8.self), body.next(UInt8.self) == 0
        else { return nil }
        var nodes: [NodeID] = []
        for _ in 0..<Int(voters) + Int(learners) {
            guard let node = decodeNode(&body) else { return nil }
            nodes.append(node)
        }
        return Membership(
            voters: nodes.prefix(Int(voters)), learners: nodes.dropFirst(Int(voters)))
    }

    private static func decodeNode(_ body: inout ByteReader) -> NodeID? {
        body.next(count: NodeID.byteCount).flatMap { NodeID(bytes: $0) }
    }
}
