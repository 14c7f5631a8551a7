import Core
import Foundation
import Messages

extension Identifier128 {
    var data: Data { Data(bytes) }
}

// Commands and questions, with the catalogue's refusals translated.
extension ObjectService {
    private var deadline: MonotonicTime {
        MonotonicTime(
            milliseconds: clocks.monotonic.milliseconds + ObjectStoreLimits.catalogue)
    }

    /// - Throws: ``ObjectStoreError/uncertain(_:)`` where the command may have been applied; any
    ///   other error says that it was not, and will not be.
    func commit(
        _ kind: ProtoRangeCommand.OneOf_Kind, bucket: BucketID,
        conditions: WriteConditions = WriteConditions()
    ) async throws(ObjectStoreError) -> ProtoRangeResult {
        var command = ProtoRangeCommand()
        command.id = random.identifier(CommandID.self).data
        command.timeMs = clocks.wall.milliseconds
        if Mutation.isOn(.reuseCommandID) {
            (command.id, command.timeMs) = (Data(count: 16), command.timeMs / 1_000 * 1_000)
        }
        command.kind = kind
        let result: ProtoRangeResult
        do {
            result = try await catalogue.propose(command, bucket: bucket, deadline: deadline)
        } catch .uncertain where Mutation.isOn(.unknownIsDone) {
            return ProtoRangeResult()
        } catch .uncertain where Mutation.isOn(.retryWithNewID) {
            return try await commit(kind, bucket: bucket, conditions: conditions)
        } catch {
            throw ObjectStoreError(error)
        }
        if result.failure == .preconditionFailed {
            throw .preconditionFailed(
                condition: conditions.ifNoneMatchAny ? "If-None-Match" : "If-Match")
        }
        if let error = ObjectStoreError(result.failure, detail: result.detail) { throw error }
        return result
    }

    func ask(
        _ kind: ProtoRangeQuery.OneOf_Kind, bucket: BucketID
    ) async throws(ObjectStoreError) -> ProtoRangeAnswer {
        var query = ProtoRangeQuery()
        query.kind = kind
        let answer: ProtoRangeAnswer
        do {
            answer = try await catalogue.query(query, bucket: bucket, deadline: deadline)
        } catch {
            throw ObjectStoreError(error)
        }
        if let error = ObjectStoreError(answer.failure, detail: answer.detail) { throw error }
        return answer
    }

    /// The result also where the command was refused: the caller looks at `failure`.
    func commit(
        system kind: ProtoSystemCommand.OneOf_Kind
    ) async throws(ObjectStoreError) -> ProtoSystemResult {
        var command = ProtoSystemCommand()
        command.id = random.identifier(CommandID.self).data
        command.timeMs = clocks.wall.milliseconds
        command.kind = kind
        do {
            return try await catalogue.propose(system: command, deadline: deadline)
        } catch {
            throw ObjectStoreError(error)
        }
    }

    func ask(
        system kind: ProtoSystemQuery.OneOf_Kind
    ) async throws(ObjectStoreError) -> ProtoSystemAnswer {
        var query = ProtoSystemQuery()
        query.kind = kind
        let answer: ProtoSystemAnswer
        do {
            answer = try await catalogue.query(system: query, deadline: deadline)
        } catch {
            throw ObjectStoreError(error)
        }
        if let error = ObjectStoreError(answer.failure, detail: answer.detail) { throw error }
        return answer
    }

    // MARK: Buckets by name

    /// The bucket as the watch last told; asked for where it has not. The range has the last word.
    func resolve(_ name: String) async throws(ObjectStoreError) -> BucketInfo {
        if let bucket = cluster.bucket(named: name) { return bucket }
        return try await lookUp(name)
    }

    func lookUp(_ name: String) async throws(ObjectStoreError) -> BucketInfo {
        var question = ProtoGetBucket()
        question.name = name
        return BucketInfo(try await ask(system: .getBucket(question)).bucket)
    }

    /// Runs `body` with the bucket; once more if the name meanwhile means another.
    func withBucket<Value>(
        _ name: String,
        _ body: (BucketInfo) async throws(ObjectStoreError) -> Value
    ) async throws(ObjectStoreError) -> Value {
        let bucket = try await resolve(name)
        do {
            return try await body(bucket)
        } catch .noSuchBucket {
            let fresh = try await lookUp(name)
            guard fresh.id != bucket.id else { throw .noSuchBucket }
            return try await body(fresh)
        }
    }
}

extension ObjectStoreError {
    init(_ error: CatalogueDoorError) {
        switch error {
        case .unavailable(let why): self = .slowDown(why)
        case .uncertain(let why): self = .uncertain(why)
        }
    }

    /// - Returns: `nil` for no failure.
    init?(_ failure: ProtoCatalogueFailure, detail: String) {
        switch failure {
        case .none: return nil
        case .noSuchBucket: self = .noSuchBucket
        case .noSuchKey: self = .noSuchKey
        case .noSuchUpload: self = .noSuchUpload
        case .preconditionFailed: self = .preconditionFailed(condition: detail)
        case .invalidPart: self = .invalidPart(number: Self.partNumber(in: detail))
        case .invalidPartOrder: self = .invalidPartOrder
        case .entityTooSmall:
            self = .entityTooSmall(part: Self.partNumber(in: detail), size: 0)
        case .bucketNotEmpty: self = .bucketNotEmpty
        case .bucketAlreadyExists: self = .bucketAlreadyExists
        case .tooMany: self = .slowDown("a limit of the catalogue: \(detail)")
        case .chunkTooOld:
            self = .slowDown(
                "storing the bytes took longer than SWEEP_AGE, or this gateway's clock is behind: "
                    + detail)
        case .noSuchAccessKey, .staleEpoch, .noSuchNode, .duplicateNodeLabel, .noSuchJoinToken:
            self = .damaged("the catalogue answers \(failure) to a question about objects")
        case .invalidCommand:
            self = .damaged("the catalogue does not take a command: \(detail)")
        case .UNRECOGNIZED(let code):
            self = .damaged("the catalogue answers with the unknown failure \(code)")
        }
    }

    /// The catalogue's details name a part as `part 7`.
    private static func partNumber(in detail: String) -> Int {
        Int(detail.drop { !$0.isNumber }) ?? 0
    }
}
