import Core
import Foundation
import Messages
import ObjectStore
import S3

/// Commands and questions of the admin API to the system range; what goes wrong is an error of
/// S3's.
struct AdminCatalogue: Sendable {
    let catalogue: any CatalogueDoor
    let clocks: any Clocks

    private var deadline: MonotonicTime {
        MonotonicTime(milliseconds: clocks.monotonic.milliseconds + ObjectStoreLimits.catalogue)
    }

    func propose(_ kind: ProtoSystemCommand.OneOf_Kind) async throws {
        var random = SystemRandomNumberGenerator()
        var command = ProtoSystemCommand()
        command.id = Data(CommandID.random(using: &random).bytes)
        command.timeMs = clocks.wall.milliseconds
        command.kind = kind
        let result: ProtoSystemResult
        do throws(CatalogueDoorError) {
            result = try await catalogue.propose(system: command, deadline: deadline)
        } catch { throw Self.s3Error(error) }
        try Self.check(result.failure, result.detail)
    }

    func ask(_ kind: ProtoSystemQuery.OneOf_Kind) async throws -> ProtoSystemAnswer {
        let answer: ProtoSystemAnswer
        do throws(CatalogueDoorError) {
            answer = try await catalogue.query(
                system: .with { $0.kind = kind }, deadline: deadline)
        } catch { throw Self.s3Error(error) }
        try Self.check(answer.failure, answer.detail)
        return answer
    }

    private static func s3Error(_ error: CatalogueDoorError) -> S3Error {
        switch error {
        case .unavailable(let text): S3Error(.serviceUnavailable, text)
        case .uncertain(let text): S3Error(.internalError, text)
        }
    }

    private static func check(_ failure: ProtoCatalogueFailure, _ detail: String) throws {
        switch failure {
        case .none: return
        case .noSuchAccessKey: throw S3Error(.noSuchAccessKey)
        case .noSuchJoinToken: throw S3Error(.invalidRequest, "There is no such join token.")
        case .tooMany: throw S3Error(.invalidRequest, "There are too many \(detail).")
        default: throw S3Error(.internalError, "\(failure): \(detail)")
        }
    }
}
