import Core
import Logging
import Messages
import NIOCore
import SwiftProtobuf

/// Proposals of the coordinators themselves to the ranges they lead.
enum SystemProposal {
    /// Proposes to the system range.
    ///
    /// - Returns: `nil` where it did not get through, or may not have: the caller looks at the
    ///   state again and, if it is still wanted, proposes again.
    static func propose(
        _ consensus: any Consensus, _ clocks: any Clocks, _ logger: Logger,
        _ fill: @Sendable (inout ProtoSystemCommand) -> Void
    ) async -> ProtoSystemResult? {
        var random = Randomness.system
        var command = ProtoSystemCommand.with {
            $0.id = CommandID.random(using: &random).data
            $0.timeMs = clocks.wall.milliseconds
        }
        fill(&command)
        return await propose(command, to: .system, consensus, logger)
    }

    static func propose(
        _ range: RangeID, _ consensus: any Consensus, _ clocks: any Clocks, _ logger: Logger,
        _ fill: @Sendable (inout ProtoRangeCommand) -> Void
    ) async -> ProtoRangeResult? {
        var random = Randomness.system
        var command = ProtoRangeCommand.with {
            $0.id = CommandID.random(using: &random).data
            $0.timeMs = clocks.wall.milliseconds
        }
        fill(&command)
        return await propose(command, to: range, consensus, logger)
    }

    private static func propose<Result: SwiftProtobuf.Message>(
        _ command: some SwiftProtobuf.Message, to range: RangeID, _ consensus: any Consensus,
        _ logger: Logger
    ) async -> Result? {
        do {
            let bytes: [UInt8] = try command.serializedBytes()
            let outcome = await consensus.propose(
                range, bytes, deadline: consensus.now + NodeKeeper.proposeDeadline)
            if case .done(let result) = outcome { return try Result(serializedBytes: result) }
            logger.debug("a proposal did not get through", metadata: ["range": "\(range)"])
        } catch {
            logger.error(
                "a proposal could not be written or its result not be read",
                metadata: ["range": "\(range)", "error": "\(error)"])
        }
        return nil
    }
}
