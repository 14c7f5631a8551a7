import Core
import Foundation
import Messages
import ObjectStore
import Synchronization

/// The catalogue as a dictionary: stupid and obviously right. It can refuse and be uncertain. For
/// the tests of what stands on it.
package final class ModelCatalogue: CatalogueDoor {
    enum Fault: Sendable {
        case none
        case unavailable
        /// Does it, or does not, and tells nobody.
        case uncertain(applies: Bool)
    }

    struct Object: Sendable {
        var head: ProtoObjectHead
        var body: ProtoBody
    }

    struct Upload: Sendable {
        var upload: ProtoUpload
        var parts: [UInt32: ProtoPart] = [:]
        var isCompleted = false
    }

    struct State: Sendable {
        var buckets: [String: ProtoBucket] = [:]
        var fenced: Set<UInt64> = []
        var confirmed: Set<UInt64> = []
        var objects: [UInt64: [Data: Object]] = [:]
        var uploads: [Data: Upload] = [:]
        var missing: [ProtoMissingCopy] = []
        var nextFault = Fault.none
        var queries = 0
    }

    let state = Mutex(State())

    package init() {}

    func failNext(_ fault: Fault) { state.withLock { $0.nextFault = fault } }

    func bucket(named name: String) -> BucketInfo? {
        state.withLock { $0.buckets[name].map(BucketInfo.init) }
    }

    /// Every chunk that something names, with the nodes that are known to lack it.
    var named: [ChunkID] {
        state.withLock { state in
            let bodies =
                state.objects.values.flatMap(\.values).map(\.body)
                + state.uploads.values.flatMap { $0.parts.values.map(\.body) }
            return bodies.flatMap { $0.chunked.chunks }.compactMap { ChunkID(bytes: $0.id) }
        }
    }

    // MARK: CatalogueDoor

    package func propose(
        _ command: ProtoRangeCommand, bucket: BucketID, deadline: MonotonicTime
    ) async throws(CatalogueDoorError) -> ProtoRangeResult {
        await Task.yield()
        return try state.withLock { state throws(CatalogueDoorError) in
            let fault = state.nextFault
            state.nextFault = .none
            switch fault {
            case .none: return state.apply(command)
            case .unavailable: throw .unavailable("no leader")
            case .uncertain(let applies):
                if applies { _ = state.apply(command) }
                throw .uncertain("the leader has gone")
            }
        }
    }

    package func query(
        _ query: ProtoRangeQuery, bucket: BucketID, deadline: MonotonicTime
    ) async throws(CatalogueDoorError) -> ProtoRangeAnswer {
        await Task.yield()
        return state.withLock { $0.answer(query) }
    }

    package func propose(
        system command: ProtoSystemCommand, deadline: MonotonicTime
    ) async throws(CatalogueDoorError) -> ProtoSystemResult {
        await Task.yield()
        return state.withLock { state in
            var result = ProtoSystemResult()
            switch command.kind {
            case .createBucket(let creation):
                if let bucket = state.buckets[creation.name] {
                    result.failure = .bucketAlreadyExists
                    result.bucket = bucket
                    return result
                }
                let bucket = ProtoBucket.with {
                    $0.id = creation.id
                    $0.name = creation.name
                    $0.owner = creation.owner
                    $0.createdMs = command.timeMs
                }
                state.buckets[creation.name] = bucket
                result.bucket = bucket
            case .deleteBucket(let removal):
                guard let bucket = state.buckets.values.first(where: { $0.id == removal.id })
                else {
                    result.failure = .noSuchBucket
                    return result
                }
                precondition(state.fenced.contains(removal.id), "fenced first")
                state.buckets[bucket.name] = nil
            default: result.failure = .invalidCommand
            }
            return result
        }
    }

    package func query(
        system query: ProtoSystemQuery, deadline: MonotonicTime
    ) async throws(CatalogueDoorError) -> ProtoSystemAnswer {
        await Task.yield()
        return state.withLock { state in
            var answer = ProtoSystemAnswer()
            switch query.kind {
            case .getBucket(let question):
                guard let bucket = state.buckets[question.name] else {
                    answer.failure = .noSuchBucket
                    return answer
                }
                answer.bucket = bucket
            case .listBuckets(let question):
                let all = state.buckets.values.filter {
                    $0.name > question.after && $0.name.hasPrefix(question.prefix)
                }.sorted { $0.name < $1.name }
                answer.buckets.buckets = Array(all.prefix(Int(question.limit)))
                answer.buckets.isTruncated = all.count > Int(question.limit)
            default: answer.failure = .invalidCommand
            }
            return answer
        }
    }
}

extension ModelCatalogue.State {
    mutating func apply(_ command: ProtoRangeCommand) -> ProtoRangeResult {
        var result = ProtoRangeResult()
        switch command.kind {
        case .putObject(let put):
            result.failure = check(put.bucket, put.key, put.precondition)
            guard result.failure == .none else { return result }
            objects[put.bucket, default: [:]][put.key] = .init(head: put.head, body: put.body)
            missing += put.missing
            result.head = put.head
        case .deleteObjects(let deletion):
            for key in deletion.keys {
                result.failure = check(deletion.bucket, key, deletion.precondition)
                guard result.failure == .none else { return result }
                if objects[deletion.bucket]?.removeValue(forKey: key) != nil {
                    result.deletedCount += 1
                }
            }
        case .createUpload(let creation):
            guard !fenced.contains(creation.bucket) else {
                result.failure = .noSuchBucket
                return result
            }
            uploads[creation.upload.id] = .init(upload: creation.upload)
        case .putPart(let put):
            guard uploads[put.upload]?.isCompleted == false else {
                result.failure = .noSuchUpload
                return result
            }
            uploads[put.upload]?.parts[put.part.number] = put.part
            missing += put.missing
        case .completeUpload(let completion): result = complete(completion)
        case .abortUpload(let abortion):
            guard uploads[abortion.upload]?.isCompleted == false else {
                result.failure = .noSuchUpload
                return result
            }
            uploads[abortion.upload] = nil
        case .fenceBucket(let fence):
            guard objects[fence.bucket]?.isEmpty ?? true else {
                result.failure = .bucketNotEmpty
                return result
            }
            fenced.insert(fence.bucket)
        case .confirmFence(let fence): confirmed.insert(fence.bucket)
        case .replaceHead(let change): result.failure = replaceHead(change)
        default: result.failure = .invalidCommand
        }
        return result
    }

    private mutating func replaceHead(_ change: ProtoReplaceHead) -> ProtoCatalogueFailure {
        if fenced.contains(change.bucket) { return .noSuchBucket }
        guard let object = objects[change.bucket]?[change.key] else { return .noSuchKey }
        guard object.head.etag == change.ifEtag, object.head.modifiedMs == change.ifModifiedMs
        else { return .preconditionFailed }
        objects[change.bucket]?[change.key]?.head.headers = change.headers
        objects[change.bucket]?[change.key]?.head.userMetadata = change.userMetadata
        objects[change.bucket]?[change.key]?.head.modifiedMs = change.modifiedMs
        return .none
    }

    private func check(
        _ bucket: UInt64, _ key: Data, _ precondition: ProtoPrecondition
    ) -> ProtoCatalogueFailure {
        if fenced.contains(bucket) { return .noSuchBucket }
        let object = objects[bucket]?[key]
        if precondition.ifNoneMatchAny, object != nil { return .preconditionFailed }
        if !precondition.ifMatch.isEmpty {
            guard let object else { return .noSuchKey }
            let isMatch =
                precondition.ifMatch == "*" || precondition.ifMatch == object.head.etag
            guard isMatch else { return .preconditionFailed }
        }
        return .none
    }

    private mutating func complete(_ completion: ProtoCompleteUpload) -> ProtoRangeResult {
        var result = ProtoRangeResult()
        guard var upload = uploads[completion.upload], !upload.isCompleted else {
            result.failure = .noSuchUpload
            return result
        }
        result.failure = check(completion.bucket, completion.key, completion.precondition)
        guard result.failure == .none else { return result }
        var offset: UInt64 = 0
        var parts: [UInt32: ProtoPart] = [:]
        for wanted in completion.parts {
            guard var part = upload.parts[wanted.number], part.etag == wanted.etag else {
                result.failure = .invalidPart
                return result
            }
            part.offset = offset
            offset += part.size
            parts[part.number] = part
        }
        upload.parts = parts
        upload.isCompleted = true
        uploads[completion.upload] = upload
        var body = ProtoBody()
        body.multipart.upload = completion.upload
        body.multipart.partCount = UInt32(parts.count)
        objects[completion.bucket, default: [:]][completion.key] = .init(
            head: completion.head, body: body)
        result.head = completion.head
        return result
    }
}
