import Core
import Foundation
import Messages
import NIOCore
import Wire

/// Serves proposals, questions and the groups' own messages: no task, no hop but the loop's own.
extension RaftHost: RunningConsensus {
    package func addRoutes(to routes: inout WireRoutes) {
        routes.onMessage(.raft) { [weak self] peer, batch in
            self?.receive(batch, from: peer.node)
        }
        routes.on(.raftSnapshot) { [weak self] call in
            guard let self else { return call.fail(WireFailure(.unavailable)) }
            call.run { [receiver] call in
                try await receiver.receive(call.message, from: call.peer.node) {
                    let piece = try await call.nextBody()
                    return piece
                }
                call.reply(ProtoRaftSnapshotReply())
            }
        }
        routes.on(.propose) { [weak self] call in
            guard let self else { return call.fail(WireFailure(.unavailable)) }
            self.propose(call)
        }
        routes.on(.query) { [weak self] call in
            guard let self else { return call.fail(WireFailure(.unavailable)) }
            self.query(call)
        }
    }

    /// A batch of Raft messages that `node` sent.
    package func receive(_ batch: ByteBuffer, from node: NodeID) {
        do {
            let messages = try RaftCodec.decode(batch, from: node, to: me)
            if !inbox.offer(messages, bytes: batch.readableBytes) { counters.messageWasDropped() }
        } catch {
            counters.messageWasMalformed()
        }
    }

    /// A snapshot that `node` sends.
    ///
    /// - Parameter next: Its next bytes; `nil` at the end.
    package func receiveSnapshot(
        _ header: ByteBuffer, from node: NodeID, next: () async throws -> ByteBuffer?
    ) async throws {
        try await receiver.receive(header, from: node, next: next)
    }

    private func propose(_ call: ServerCall) {
        let request: ProtoProposeRequest
        do { request = try call.decode() } catch { return call.fail(error) }
        let range = RangeID(rawValue: request.range)
        propose(range, [UInt8](request.command), deadline: call.deadline) { outcome in
            call.reply(
                ProtoProposeReply.with {
                    ($0.status, $0.leader) = outcome.statusAndLeader
                    if case .done(let result) = outcome { $0.result = Data(result) }
                })
        }
    }

    private func query(_ call: ServerCall) {
        let request: ProtoQueryRequest
        do { request = try call.decode() } catch { return call.fail(error) }
        let range = RangeID(rawValue: request.range)
        query(range, [UInt8](request.query), deadline: call.deadline) { outcome in
            call.reply(
                ProtoQueryReply.with {
                    ($0.status, $0.leader) = outcome.statusAndLeader
                    if case .done(let answer) = outcome { $0.answer = Data(answer) }
                })
        }
    }
}

extension ConsensusOutcome {
    /// As answers say it.
    var statusAndLeader: (ProtoCatalogueStatus, Data) {
        switch self {
        case .done: (.done, Data())
        case .notLeader(let leader): (.notLeader, leader.map { Data($0.bytes) } ?? Data())
        case .uncertain: (.uncertain, Data())
        case .overloaded: (.overloaded, Data())
        case .noSuchRange: (.noSuchRange, Data())
        }
    }
}

/// The real transport: the node protocol.
package struct WireRaftTransport: RaftTransport {
    private let pool: WirePool

    /// A snapshot may be large and the receiver slow; a broken connection ends it sooner.
    private static let snapshotDeadline = TimeAmount.hours(2)

    package init(_ pool: WirePool) { self.pool = pool }

    package func send(_ batch: ByteBuffer, to node: NodeID) { pool.send(.raft, to: node, batch) }

    package func sendSnapshot(
        _ header: ByteBuffer, to node: NodeID, next: @Sendable () async throws -> ByteBuffer?
    ) async throws {
        let stream = pool.open(
            .raftSnapshot, to: node, header, deadline: pool.now + Self.snapshotDeadline)
        do {
            while let piece = try await next() { try await stream.write(piece) }
            stream.finish()
            _ = try await stream.reply(as: ProtoRaftSnapshotReply.self)
        } catch {
            stream.cancel()
            throw error
        }
    }
}
