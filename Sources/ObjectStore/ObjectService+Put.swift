import Core
import Foundation
import Messages
import NIOCore

extension ObjectService {
    /// PutObject: bytes first, name last. When it returns, the object is durable and visible.
    ///
    /// - Throws: ``ObjectStoreError``, or what `body` throws; nothing is committed then, except
    ///   that ``ObjectStoreError/uncertain(_:)`` leaves it open.
    package func put(
        _ request: PutRequest, body: sending some ByteSource
    ) async throws -> ObjectInfo {
        guard request.length <= Limits.partBytesMax else {
            throw ObjectStoreError.entityTooLarge(bytesMax: Limits.partBytesMax)
        }
        let bucket = try await resolve(request.address.bucket)
        let reservation = try reserveForWrite(of: request.length)
        defer { withExtendedLifetime(reservation) {} }
        let stored = try await writer.store(
            body, length: request.length,
            owner: BodyOwner(bucket: bucket.id, key: request.address.key),
            claims: BodyClaims(
                contentMD5: request.contentMD5, checksum: request.checksum,
                declared: request.declaredChecksum))
        var command = ProtoPutObject()
        command.bucket = bucket.id.rawValue
        command.key = request.address.key.data
        command.head = head(stored, request.attributes)
        command.body = stored.body
        command.precondition = request.conditions.proto
        command.missing = stored.missing
        let head = command.head
        let result = try await name(
            stored, in: bucket, by: .putObject(command), conditions: request.conditions)
        return ObjectInfo(result.hasHead ? result.head : head)
    }

    func reserveForWrite(of length: Int) throws(ObjectStoreError) -> MemoryBudget.Reservation {
        try budget.reserve(
            min(
                ObjectStoreLimits.putStreamBytes,
                max(ObjectStoreLimits.smallStreamBytesMin, 2 * length)))
    }

    private func head(_ stored: StoredBody, _ attributes: ObjectAttributes) -> ProtoObjectHead {
        var head = ProtoObjectHead()
        head.size = UInt64(stored.size)
        head.etag = stored.etag
        head.modifiedMs = clocks.wall.milliseconds
        head.headers = attributes.headers
        head.userMetadata = attributes.userMetadata
        if let checksum = stored.checksum { head.checksum = checksum.proto }
        return head
    }

    /// Commits the command that names a stored body; discards the body where it was refused.
    func name(
        _ stored: StoredBody, in bucket: BucketInfo, by kind: ProtoRangeCommand.OneOf_Kind,
        conditions: WriteConditions = WriteConditions()
    ) async throws(ObjectStoreError) -> ProtoRangeResult {
        do {
            return try await commit(kind, bucket: bucket.id, conditions: conditions)
        } catch .uncertain(let why) {
            // The object may be there, or come yet: its chunks must stay. If it never comes, they
            // are swept as chunks that no catalogue names.
            if Mutation.isOn(.unknownIsDiscarded) { writer.discard(stored) }
            throw .uncertain(why)
        } catch .noSuchBucket {
            writer.discard(stored)
            guard try await lookUp(bucket.name).id != bucket.id else { throw .noSuchBucket }
            // The owner records name the bucket of that name that is gone.
            throw .slowDown("bucket \(bucket.name) was deleted and made again meanwhile")
        } catch {
            writer.discard(stored)
            throw error
        }
    }
}

extension WriteConditions {
    /// What the catalogue checks at apply, against an object that was read.
    func check(_ info: ObjectInfo) throws(ObjectStoreError) {
        if ifNoneMatchAny { throw .preconditionFailed(condition: "If-None-Match") }
        guard let ifMatch, ifMatch != "*", ifMatch != info.etag else { return }
        throw .preconditionFailed(condition: "If-Match")
    }

    var proto: ProtoPrecondition {
        var proto = ProtoPrecondition()
        proto.ifMatch = ifMatch ?? ""
        proto.ifNoneMatchAny = ifNoneMatchAny
        return proto
    }
}
