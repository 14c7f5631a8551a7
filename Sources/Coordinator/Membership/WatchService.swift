import ClusterView
import Core
import Messages
import NIOCore
import Wire

/// Answers `cluster.watch`: at once where there is something new, else when there is, or when the
/// caller has waited long enough. Every answer is checked to come from the leader, so that who
/// hears one knows that its view was not stale.
struct WatchService: Sendable {
    let consensus: any Consensus
    let mirror: SystemMirror
    let nodes: NodeKeeper
    let changed: ChangeSignal

    func answer(_ call: ServerCall) async throws -> ProtoWatchReply {
        let request: ProtoWatchRequest = try call.decode()
        let generation = changed.generation
        guard consensus.isLeader(.system) else { return await notLeader() }
        var picture = await nodes.picture
        if !isNew(request, picture.version, picture.term) {
            let wait = min(Int64(request.waitMs), Int64(CoordinatorLimits.watchMillisecondsMax))
            await changed.wait(
                past: generation, atMost: .milliseconds(wait), on: call.eventLoop)
            picture = await nodes.picture
        }
        let query = ProtoSystemQuery.with { $0.getChanges.since = request.revision }
        let outcome = await consensus.query(
            .system, try query.serializedBytes(), deadline: call.deadline)
        guard case .done(let bytes) = outcome else { return await notLeader() }
        let answer = try ProtoSystemAnswer(serializedBytes: bytes)
        guard answer.failure == .none else {
            throw WireFailure(.internalError, "\(answer.failure): \(answer.detail)")
        }
        return .with { reply in
            reply.status = .done
            if answer.changes.revision != request.revision || answer.changes.isFull {
                reply.changes = answer.changes
            }
            if request.livenessVersion != picture.version || request.leaderTerm != picture.term {
                reply.liveness = picture.entries.map { .of($0, $1) }
            }
            reply.livenessVersion = picture.version
            reply.leaderTerm = picture.term
        }
    }

    private func isNew(_ request: ProtoWatchRequest, _ version: UInt64, _ term: UInt64) -> Bool {
        mirror.state.revision > request.revision || version != request.livenessVersion
            || term != request.leaderTerm
    }

    private func notLeader() async -> ProtoWatchReply {
        let leader = await consensus.state(of: .system)?.leader
        let address = leader.flatMap { mirror.state.nodes[$0]?.address }
        return .with {
            $0.status = .notLeader
            if let leader { $0.leader = leader.data }
            $0.leaderAddress = address ?? ""
        }
    }
}

extension ProtoNodeLiveness {
    static func of(_ node: NodeID, _ entry: Liveness.Entry) -> Self {
        .with {
            $0.node = node.data
            switch entry.state {
            case .up: $0.state = .up
            case .suspect: $0.state = .suspect
            case .down: $0.state = .down
            case .stopped: $0.state = .stopped
            }
            $0.usedBytes = entry.report.usedBytes
            $0.freeBytes = entry.report.freeBytes
            $0.refusesWrites = entry.report.refusesWrites
            $0.isHeard = entry.isHeard
        }
    }
}
