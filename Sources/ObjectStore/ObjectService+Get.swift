import Core
import Foundation
import Messages
import NIOCore

extension ObjectService {
    /// GetObject: one linearizable look-up, then the bytes. Its first bytes are verified when it
    /// returns.
    package func get(_ request: GetRequest) async throws(ObjectStoreError) -> GetResult {
        try await withBucket(request.address.bucket) { bucket throws(ObjectStoreError) in
            try await getInsisting(request, bucket)
        }
    }

    /// A reader that was held up so long that an overwritten object's chunks are gone looks once
    /// more, and finds the new ones.
    private func getInsisting(
        _ request: GetRequest, _ bucket: BucketInfo
    ) async throws(ObjectStoreError) -> GetResult {
        do {
            return try await get(request, bucket)
        } catch .damaged {
            return try await get(request, bucket)
        }
    }

    private func get(
        _ request: GetRequest, _ bucket: BucketInfo
    ) async throws(ObjectStoreError) -> GetResult {
        let found = try await find(request.address.key, bucket, withBody: true)
        let info = ObjectInfo(found.head)
        try request.conditions.check(info)
        let range = try await self.range(
            info, found.body, bucket, request.range, partNumber: request.partNumber)
        let body = try await open(found, bucket, range ?? 0..<info.size)
        return GetResult(
            info: info, range: range ?? 0..<info.size, isPartial: range != nil, body: body)
    }

    package func head(_ request: HeadRequest) async throws(ObjectStoreError) -> HeadResult {
        try await withBucket(request.address.bucket) { bucket throws(ObjectStoreError) in
            let found = try await find(
                request.address.key, bucket, withBody: request.partNumber != nil)
            let info = ObjectInfo(found.head)
            try request.conditions.check(info)
            let range = try await self.range(
                info, found.body, bucket, request.range, partNumber: request.partNumber)
            return HeadResult(
                info: info, range: range ?? 0..<info.size, isPartial: range != nil)
        }
    }

    func find(
        _ key: ObjectKey, _ bucket: BucketInfo, withBody: Bool
    ) async throws(ObjectStoreError) -> ProtoObjectFound {
        var question = ProtoGetObject()
        question.bucket = bucket.id.rawValue
        question.key = key.data
        question.withBody = withBody
        return try await ask(.getObject(question), bucket: bucket.id).object
    }

    /// - Returns: `nil` where the whole object is asked for.
    private func range(
        _ info: ObjectInfo, _ body: ProtoBody, _ bucket: BucketInfo, _ range: ByteRange?,
        partNumber: Int?
    ) async throws(ObjectStoreError) -> Range<Int>? {
        if let range { return try range.resolve(size: info.size) }
        guard let partNumber else { return nil }
        guard partNumber >= 1, partNumber <= Limits.partCountMax else { throw .invalidPartNumber }
        guard case .multipart(let multipart) = body.kind else {
            guard partNumber == 1 else { throw .invalidPartNumber }
            return 0..<info.size
        }
        var question = ProtoListParts()
        question.bucket = bucket.id.rawValue
        question.upload = multipart.upload
        question.afterNumber = UInt32(partNumber - 1)
        question.limit = 1
        let parts = try await ask(.listParts(question), bucket: bucket.id).parts.parts
        guard let part = parts.first, part.number == partNumber else { throw .invalidPartNumber }
        return Int(part.offset)..<Int(part.offset + part.size)
    }

    /// The body of what was found, its first bytes read.
    func open(
        _ found: ProtoObjectFound, _ bucket: BucketInfo, _ range: Range<Int>
    ) async throws(ObjectStoreError) -> ObjectBody {
        guard !range.isEmpty else { return ObjectBody(length: 0, first: nil, rest: nil) }
        let isScarce = budget.isScarce
        let blocksMax =
            isScarce ? ObjectStoreLimits.fetchBlocksLean : ObjectStoreLimits.fetchBlocksMax
        let stepBytes = blocksMax * Limits.blockBytes
        let streamBytes =
            isScarce
            ? ObjectStoreLimits.getStreamBytesLean : ObjectStoreLimits.getStreamBytes
        let reservation = try budget.reserve(
            min(streamBytes, max(ObjectStoreLimits.smallStreamBytesMin, 2 * range.count)))
        let cursor = try ReadCursor(found.body, size: Int(found.head.size), range: range)
        let reading = reading(bucket.id)
        let reader = BodyReader(reading, cursor, blocksMax: blocksMax)
        let first = try await reader.next(fetchesAhead: false)
        guard let first, first.readableBytes > 0 else {
            throw .damaged("a body without bytes")
        }
        assert(first.readableBytes <= stepBytes)
        guard first.readableBytes < range.count else {
            return ObjectBody(length: range.count, first: first, rest: nil)
        }
        return ObjectBody(
            length: range.count, first: first,
            rest: ObjectBody.Rest(
                reading: reading, cursor: reader.cursor, blocksMax: blocksMax,
                reservation: reservation))
    }
}
