import Raft

/// Messages as scripts show them.
extension RaftMessage {
    var text: String { "\(from.low) -> \(to.low) term \(term): \(kindText)" }

    private var kindText: String {
        switch kind {
        case .vote(let request):
            let name = request.isPreVote ? "pre-vote" : request.isForced ? "forced vote" : "vote"
            return "\(name)? last \(request.last)"
        case .voteReply(let reply):
            return (reply.isPreVote ? "pre-vote " : "vote ")
                + (reply.isGranted ? "granted" : "refused")
        case .append(let request):
            let entries = request.entries.isEmpty ? "nothing" : request.entries.text
            return "append \(entries) after \(request.previous), commit \(request.commit)"
        case .appendReply(let reply):
            switch reply.outcome {
            case .matched(let index): return "matched \(index)"
            case .rejected(let previous, let hint):
                return "rejected \(previous), maybe \(hint)"
            }
        case .heartbeat(let heartbeat):
            return "heartbeat, commit \(heartbeat.commit), round \(heartbeat.stamp.round)"
        case .heartbeatReply(let reply): return "heartbeat answered, round \(reply.stamp.round)"
        case .snapshot(let mark): return "snapshot at \(mark.position)"
        case .timeoutNow: return "time out now"
        }
    }
}

extension [RaftEntry] {
    var text: String { map(\.text).joined(separator: " ") }
}

extension RaftEntry {
    var text: String {
        switch payload {
        case .empty: "\(position)"
        case .command(let bytes): "\(position)=\(String(decoding: bytes, as: UTF8.self))"
        case .membership(let membership):
            "\(position)=voters\(membership.voters.map(\.low))learners\(membership.learners.map(\.low))"
        }
    }
}
