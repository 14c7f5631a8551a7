import Core
import Foundation
import Messages
import NIOCore
import SwiftProtobuf
import Wire

/// Proposes to and asks the catalogue's ranges: finds the leader, follows hints, repeats until the
/// deadline. Commands carry an id, so repeating one is harmless.
package final class CatalogueClient: Sendable {
    private let pool: WirePool
    private let clocks: any Clocks
    private let coordinators: @Sendable () -> [NodeID]
    private let hints = LeaderHints()

    /// - Parameter coordinators: The nodes to ask, in any order; asked again at each try.
    package init(
        pool: WirePool, clocks: any Clocks, coordinators: @escaping @Sendable () -> [NodeID]
    ) {
        self.clocks = clocks
        self.pool = pool
        self.coordinators = coordinators
    }

    /// What deadlines are counted from.
    package var now: NIODeadline { pool.now }

    /// - Parameter command: Carries its id; the same is sent at each try.
    package func propose<Result: SwiftProtobuf.Message>(
        _ command: some SwiftProtobuf.Message, to range: RangeID, deadline: NIODeadline,
        as result: Result.Type = Result.self
    ) async throws(CatalogueClientError) -> Result {
        let bytes: ProtoProposeRequest
        do {
            bytes = try .with {
                $0.range = range.rawValue
                $0.command = try command.serializedData()
            }
        } catch {
            throw .malformed("the command could not be written: \(error)")
        }
        let reply: ProtoProposeReply = try await ask(
            .propose, bytes, range, deadline: deadline, isIdempotent: false)
        return try decode(reply.result)
    }

    package func query<Answer: SwiftProtobuf.Message>(
        _ query: some SwiftProtobuf.Message, of range: RangeID, deadline: NIODeadline,
        as answer: Answer.Type = Answer.self
    ) async throws(CatalogueClientError) -> Answer {
        let request: ProtoQueryRequest
        do {
            request = try .with {
                $0.range = range.rawValue
                $0.query = try query.serializedData()
            }
        } catch {
            throw .malformed("the question could not be written: \(error)")
        }
        let reply: ProtoQueryReply = try await ask(
            .query, request, range, deadline: deadline, isIdempotent: true)
        return try decode(reply.answer)
    }

    /// Asks the leader of one range which chunks nothing in it names.
    package func sweep(
        _ request: ProtoSweepRequest, deadline: NIODeadline
    ) async throws(CatalogueClientError) -> ProtoSweepReply {
        try await ask(
            .sweep, request, RangeID(rawValue: request.range), deadline: deadline,
            isIdempotent: true)
    }

    private func decode<Value: SwiftProtobuf.Message>(
        _ bytes: Data
    ) throws(CatalogueClientError) -> Value {
        do {
            return try Value(serializedBytes: bytes)
        } catch {
            throw .malformed("the coordinator's answer could not be read: \(error)")
        }
    }

    /// Tries leader after leader until one has an answer.
    private func ask<Reply: CatalogueReply>(
        _ method: Method, _ request: some SwiftProtobuf.Message, _ range: RangeID,
        deadline: NIODeadline, isIdempotent: Bool
    ) async throws(CatalogueClientError) -> Reply {
        var search = LeaderSearch(hint: hints[range])
        var mayHaveRun = false
        var reason = "no coordinator is known"
        while pool.now < deadline, !Task.isCancelled {
            guard let node = search.next(among: coordinators()) else {
                try await pause(&search, deadline, mayHaveRun, reason)
                continue
            }
            do throws(WireError) {
                let attempt = min(deadline, pool.now + ClusterViewLimits.attemptDeadline)
                let reply = try await pool.call(
                    method, to: node, request, deadline: attempt, as: Reply.self)
                switch reply.status {
                case .done:
                    hints[range] = node
                    return reply
                case .notLeader:
                    hints.drop(node, of: range)
                    search.redirected(from: node, to: NodeID(bytes: reply.leader))
                    reason = "no leader of \(range) has answered"
                case .uncertain:
                    mayHaveRun = true
                    reason = "the leader of \(range) changed meanwhile"
                    search.failed(node)
                case .overloaded: throw .remote(WireFailure(.overloaded, "\(range) is overloaded"))
                case .noSuchRange, .unknown, .UNRECOGNIZED:
                    search.failed(node)
                    reason = "coordinator \(node) does not have \(range)"
                }
            } catch {
                hints.drop(node, of: range)
                search.failed(node)
                mayHaveRun = mayHaveRun || error.mayHaveRun && !isIdempotent
                reason = "\(error)"
                if case .remote(let failure) = error, failure.code == .overloaded, !mayHaveRun {
                    throw CatalogueClientError.overloaded(failure.text)
                }
            }
        }
        let isUnknown = mayHaveRun && !Mutation.isOn(.unknownIsUnavailable)
        throw isUnknown ? .uncertain(reason) : .unavailable(reason)
    }

    private func pause(
        _ search: inout LeaderSearch, _ deadline: NIODeadline, _ mayHaveRun: Bool, _ reason: String
    ) async throws(CatalogueClientError) {
        var random = Randomness.system
        let milliseconds = search.roundEnded(using: &random)
        do {
            try await clocks.sleep(for: .milliseconds(milliseconds))
        } catch {
            throw mayHaveRun ? .uncertain("cancelled") : .unavailable("cancelled")
        }
    }
}

/// Why the catalogue gave no answer.
package enum CatalogueClientError: Error, Equatable {
    /// Nothing was done, and will not be. The caller answers `SlowDown`.
    case unavailable(String)
    /// Nothing was done: a queue is full. The caller answers `SlowDown`.
    case overloaded(String)
    /// The command may have been applied, or may be yet.
    case uncertain(String)
    /// Bytes that one side can't read: different versions, or a defect.
    case malformed(String)
}

/// Which coordinator to ask next. Pure.
package struct LeaderSearch: Equatable {
    private var preferred: NodeID?
    private var tried: Set<NodeID> = []
    private var redirectCount = 0
    private var pauseMilliseconds = ClusterViewLimits.retryMillisecondsMin

    package init(hint: NodeID?) { preferred = hint }

    /// - Returns: `nil` when all have been tried in this round: pause, then go on.
    package mutating func next(among coordinators: [NodeID]) -> NodeID? {
        if let preferred, !tried.contains(preferred) {
            self.preferred = nil
            return preferred
        }
        preferred = nil
        return coordinators.first { !tried.contains($0) }
    }

    package mutating func redirected(from node: NodeID, to leader: NodeID?) {
        tried.insert(node)
        guard let leader, leader != node, redirectCount < 4 else { return }
        redirectCount += 1
        // A node that said no a moment ago may have become leader since.
        tried.remove(leader)
        preferred = leader
    }

    package mutating func failed(_ node: NodeID) { tried.insert(node) }

    /// - Returns: Milliseconds to wait before the next round.
    package mutating func roundEnded(using random: inout some RandomNumberGenerator) -> Int {
        tried = []
        redirectCount = 0
        let pause = Int.random(in: pauseMilliseconds / 2...pauseMilliseconds, using: &random)
        pauseMilliseconds = min(pauseMilliseconds * 2, ClusterViewLimits.retryMillisecondsMax)
        return pause
    }
}

/// What every answer of the catalogue says besides the answer.
protocol CatalogueReply: SwiftProtobuf.Message {
    var status: ProtoCatalogueStatus { get }
    /// NodeID; empty where it is not known.
    var leader: Data { get }
}

extension ProtoProposeReply: CatalogueReply {}
extension ProtoQueryReply: CatalogueReply {}
extension ProtoSweepReply: CatalogueReply {}
extension ProtoHeartbeatReply: CatalogueReply {}
extension ProtoWatchReply: CatalogueReply {}
