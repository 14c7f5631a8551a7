import ClusterView
import Core
import Logging
import Messages
import NIOCore
import Wire

/// Answers `catalogue.sweep` for a range that this node leads: raises the range's fence where it
/// is time, then says which chunks nothing in the range names. Decision 7 has the proof that what
/// every range answers so can be removed.
struct SweepService: Sendable {
    let consensus: any Consensus
    let clocks: any Clocks
    let logger: Logger
    /// SWEEP_AGE.
    let ageMilliseconds: Int64

    func answer(
        _ request: ProtoSweepRequest, deadline: NIODeadline
    ) async throws -> ProtoSweepReply {
        let range = RangeID(rawValue: request.range)
        guard range != .system else { return .with { $0.status = .noSuchRange } }
        let query =
            try ProtoRangeQuery.with { $0.findUnnamed.chunks = request.chunks }
            .serializedBytes() as [UInt8]
        let outcome = await consensus.query(range, query, deadline: deadline)
        guard case .done(let bytes) = outcome else { return Self.refusal(outcome) }
        let found = try Self.unnamed(bytes)
        let fence = SweepFence.due(
            now: min(request.timeMs, clocks.wall.milliseconds), ageMilliseconds: ageMilliseconds,
            fence: found.fenceS)
        guard let raised = fence, await raise(range, to: raised) else { return Self.reply(found) }
        let second = await consensus.query(range, query, deadline: deadline)
        guard case .done(let bytes) = second else { return Self.refusal(second) }
        return Self.reply(try Self.unnamed(bytes))
    }

    private func raise(_ range: RangeID, to seconds: UInt32) async -> Bool {
        let result = await SystemProposal.propose(range, consensus, clocks, logger) {
            $0.raiseSweepFence.beforeS = seconds
        }
        return result?.failure == ProtoCatalogueFailure.none
    }

    private static func unnamed(_ bytes: [UInt8]) throws -> ProtoUnnamedChunks {
        let answer = try ProtoRangeAnswer(serializedBytes: bytes)
        guard answer.failure == .none else {
            throw WireFailure(.badRequest, "\(answer.failure): \(answer.detail)")
        }
        return answer.unnamed
    }

    private static func reply(_ found: ProtoUnnamedChunks) -> ProtoSweepReply {
        .with {
            $0.status = .done
            $0.fenceS = found.fenceS
            $0.unnamed = found.chunks
        }
    }

    private static func refusal(_ outcome: ConsensusOutcome) -> ProtoSweepReply {
        .with { ($0.status, $0.leader) = outcome.statusAndLeader }
    }
}

/// When a range's fence moves, and where to. Pure.
enum SweepFence {
    /// - Parameters:
    ///   - now: Milliseconds since 1970 by the clock that is furthest behind of those asked: one
    ///     that runs ahead alone moves nothing.
    ///   - fence: As it is, in seconds.
    /// - Returns: The new fence in seconds; `nil` where it is not worth a command yet.
    static func due(now: Int64, ageMilliseconds: Int64, fence: UInt32) -> UInt32? {
        let wanted = UInt32(clamping: (max(0, now) - ageMilliseconds) / 1000)
        let step = UInt32(clamping: max(1, ageMilliseconds / 1000 / 8))
        return wanted >= fence && wanted - fence >= step ? wanted : nil
    }
}
