import Core
import Foundation
import Messages
import NIOCore
import Raft
import SwiftProtobuf

/// A message of one group.
struct RangeMessage: Hashable, Sendable {
    var range: RangeID
    var message: RaftMessage
}

/// Raft's values as protobuf messages and back. Sender and receiver of a message are not in it:
/// they are those of the connection.
enum RaftCodec {
    /// Why bytes of a peer were not understood: dropped and counted.
    struct Malformed: Error {
        let what: String
    }

    static func encode(_ messages: [RangeMessage]) -> ByteBuffer {
        let batch = ProtoRaftBatch.with { $0.messages = messages.map(envelope) }
        return bytes(of: batch)
    }

    static func bytes(of message: some SwiftProtobuf.Message) -> ByteBuffer {
        // Serializing fails only for missing required fields, which proto3 does not have.
        guard let bytes: [UInt8] = try? message.serializedBytes() else {
            preconditionFailure("a message that cannot be serialized")
        }
        return ByteBuffer(bytes: bytes)
    }

    static func decode(
        _ bytes: ByteBuffer, from: NodeID, to: NodeID
    ) throws(Malformed) -> [RangeMessage] {
        guard let batch = try? ProtoRaftBatch(serializedBytes: Array(bytes.readableBytesView))
        else { throw Malformed(what: "no batch") }
        var messages: [RangeMessage] = []
        messages.reserveCapacity(batch.messages.count)
        for envelope in batch.messages {
            let message = RaftMessage(
                from: from, to: to, term: try term(envelope.term), kind: try kind(envelope))
            messages.append(
                RangeMessage(range: RangeID(rawValue: envelope.range), message: message))
        }
        return messages
    }

    // MARK: Encoding

    private static func envelope(_ message: RangeMessage) -> ProtoRaftEnvelope {
        .with {
            $0.range = message.range.rawValue
            $0.term = message.message.term.rawValue
            switch message.message.kind {
            case .vote(let vote): $0.vote = encode(vote)
            case .voteReply(let reply):
                $0.voteReply = .with {
                    $0.isPreVote = reply.isPreVote
                    $0.isGranted = reply.isGranted
                }
            case .append(let append): $0.append = encode(append)
            case .appendReply(let reply): $0.appendReply = encode(reply)
            case .heartbeat(let heartbeat):
                $0.heartbeat = .with {
                    $0.commit = heartbeat.commit.rawValue
                    $0.sentAt = heartbeat.stamp.sentAt
                    $0.round = heartbeat.stamp.round
                }
            case .heartbeatReply(let reply):
                $0.heartbeatReply = .with {
                    $0.sentAt = reply.stamp.sentAt
                    $0.round = reply.stamp.round
                }
            case .timeoutNow: $0.timeoutNow = ProtoRaftTimeoutNow()
            case .snapshot:
                preconditionFailure("snapshots go in front of their bytes, not in a batch")
            }
        }
    }

    private static func encode(_ vote: RaftMessage.VoteRequest) -> ProtoRaftVoteRequest {
        .with {
            $0.isPreVote = vote.isPreVote
            $0.isForced = vote.isForced
            $0.lastIndex = vote.last.index.rawValue
            $0.lastTerm = vote.last.term.rawValue
        }
    }

    private static func encode(_ append: RaftMessage.AppendRequest) -> ProtoRaftAppend {
        .with {
            $0.previousIndex = append.previous.index.rawValue
            $0.previousTerm = append.previous.term.rawValue
            $0.entries = append.entries.map(encode)
            $0.commit = append.commit.rawValue
            $0.sentAt = append.stamp.sentAt
            $0.round = append.stamp.round
        }
    }

    private static func encode(_ entry: RaftEntry) -> ProtoRaftLogEntry {
        .with {
            $0.term = entry.term.rawValue
            switch entry.payload {
            case .empty: break
            case .command(let bytes): $0.command = Data(bytes)
            case .membership(let membership): $0.membership = encode(membership)
            }
        }
    }

    private static func encode(_ reply: RaftMessage.AppendReply) -> ProtoRaftAppendReply {
        .with {
            switch reply.outcome {
            case .matched(let index): $0.matched = index.rawValue
            case .rejected(let previous, let hint):
                $0.isRejected = true
                $0.previousIndex = previous.rawValue
                $0.hintIndex = hint.index.rawValue
                $0.hintTerm = hint.term.rawValue
            }
            $0.sentAt = reply.stamp.sentAt
            $0.round = reply.stamp.round
        }
    }

    static func encode(_ membership: Membership) -> ProtoRaftMembership {
        .with {
            $0.voters = membership.voters.map { Data($0.bytes) }
            $0.learners = membership.learners.map { Data($0.bytes) }
        }
    }

    static func encode(_ mark: SnapshotMark) -> ProtoRaftMark {
        .with {
            $0.index = mark.position.index.rawValue
            $0.term = mark.position.term.rawValue
            $0.membership = encode(mark.membership)
        }
    }

    // MARK: Decoding

    /// Terms, indices, times and rounds begin at 0 and grow by steps: none ever comes near, so what
    /// is beyond is no peer's number, and what is within can be added to.
    private static let numberMax: UInt64 = 1 << 62

    private static func checked(_ number: UInt64) throws(Malformed) -> UInt64 {
        guard number <= numberMax else { throw Malformed(what: "a number out of range") }
        return number
    }

    static func term(_ number: UInt64) throws(Malformed) -> Term {
        Term(rawValue: try checked(number))
    }

    private static func index(_ number: UInt64) throws(Malformed) -> LogIndex {
        LogIndex(rawValue: try checked(number))
    }

    private static func position(
        _ index: UInt64, _ term: UInt64
    ) throws(Malformed) -> LogPosition {
        LogPosition(index: try self.index(index), term: try self.term(term))
    }

    private static func stamp(
        _ sentAt: UInt64, _ round: UInt64
    ) throws(Malformed) -> RaftMessage.Stamp {
        .init(sentAt: try checked(sentAt), round: try checked(round))
    }

    private static func kind(
        _ envelope: ProtoRaftEnvelope
    ) throws(Malformed) -> RaftMessage.Kind {
        switch envelope.kind {
        case .vote(let vote):
            return .vote(
                .init(
                    isPreVote: vote.isPreVote, isForced: vote.isForced,
                    last: try position(vote.lastIndex, vote.lastTerm)))
        case .voteReply(let reply):
            return .voteReply(.init(isPreVote: reply.isPreVote, isGranted: reply.isGranted))
        case .append(let append): return .append(try decode(append, of: envelope.term))
        case .appendReply(let reply): return .appendReply(try decode(reply))
        case .heartbeat(let heartbeat):
            return .heartbeat(
                .init(
                    commit: try index(heartbeat.commit),
                    stamp: try stamp(heartbeat.sentAt, heartbeat.round)))
        case .heartbeatReply(let reply):
            return .heartbeatReply(.init(stamp: try stamp(reply.sentAt, reply.round)))
        case .timeoutNow: return .timeoutNow
        case nil: throw Malformed(what: "no kind of message")
        }
    }

    /// - Parameter leaderTerm: Of the message; terms grow along a log, and end there.
    private static func decode(
        _ append: ProtoRaftAppend, of leaderTerm: UInt64
    ) throws(Malformed) -> RaftMessage.AppendRequest {
        let previous = try position(append.previousIndex, append.previousTerm)
        var entries: [RaftEntry] = []
        entries.reserveCapacity(append.entries.count)
        var last = append.previousTerm
        for entry in append.entries {
            guard entry.term >= last, entry.term <= leaderTerm else {
                throw Malformed(what: "an entry's term out of order")
            }
            last = entry.term
            let payload: RaftEntry.Payload
            switch entry.payload {
            case .command(let bytes): payload = .command([UInt8](bytes))
            case .membership(let membership): payload = .membership(try decode(membership))
            case nil: payload = .empty
            }
            entries.append(
                RaftEntry(
                    term: Term(rawValue: entry.term), index: previous.index + entries.count + 1,
                    payload: payload))
        }
        return RaftMessage.AppendRequest(
            previous: previous, entries: entries, commit: try index(append.commit),
            stamp: try stamp(append.sentAt, append.round))
    }

    private static func decode(
        _ reply: ProtoRaftAppendReply
    ) throws(Malformed) -> RaftMessage.AppendReply {
        let outcome: RaftMessage.AppendReply.Outcome =
            reply.isRejected
            ? .rejected(
                previous: try index(reply.previousIndex),
                hint: try position(reply.hintIndex, reply.hintTerm))
            : .matched(try index(reply.matched))
        return RaftMessage.AppendReply(
            outcome: outcome, stamp: try stamp(reply.sentAt, reply.round))
    }

    static func decode(_ membership: ProtoRaftMembership) throws(Malformed) -> Membership {
        guard membership.voters.count + membership.learners.count <= RaftLimits.membersMax else {
            throw Malformed(what: "too many members")
        }
        return Membership(
            voters: try nodes(membership.voters), learners: try nodes(membership.learners))
    }

    static func decode(_ mark: ProtoRaftMark) throws(Malformed) -> SnapshotMark {
        SnapshotMark(
            position: try position(mark.index, mark.term), membership: try decode(mark.membership))
    }

    private static func nodes(_ fields: [Data]) throws(Malformed) -> [NodeID] {
        var nodes: [NodeID] = []
        for field in fields {
            guard let node = NodeID(bytes: field) else { throw Malformed(what: "no node id") }
            nodes.append(node)
        }
        return nodes
    }
}

/// What a state machine keeps for us beside its applied index: with it, a snapshot says what it
/// stands for.
struct StoreNote: Hashable, Sendable {
    var term: Term
    var membership: Membership

    init(term: Term, membership: Membership) {
        self.term = term
        self.membership = membership
    }

    var bytes: [UInt8] {
        let note = ProtoRaftNote.with {
            $0.term = term.rawValue
            $0.membership = RaftCodec.encode(membership)
        }
        return Array(RaftCodec.bytes(of: note).readableBytesView)
    }

    /// - Returns: `nil` for an empty note (nothing was applied) and for none of ours.
    init?(bytes: [UInt8]) {
        guard !bytes.isEmpty, let note = try? ProtoRaftNote(serializedBytes: bytes),
            let membership = try? RaftCodec.decode(note.membership),
            let term = try? RaftCodec.term(note.term)
        else { return nil }
        self.init(term: term, membership: membership)
    }

    func mark(at index: UInt64) -> SnapshotMark {
        SnapshotMark(
            position: LogPosition(index: LogIndex(rawValue: index), term: term),
            membership: membership)
    }
}
