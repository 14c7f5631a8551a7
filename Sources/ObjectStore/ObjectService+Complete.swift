import Core
import Foundation
import Messages
import S3

extension ObjectService {
    /// CompleteMultipartUpload. A client that repeats it because it missed the answer gets the same
    /// answer, as long as the object is what it was made.
    package func completeUpload(
        _ request: CompleteUploadRequest
    ) async throws(ObjectStoreError) -> ObjectInfo {
        try await withBucket(request.address.object.bucket) { bucket throws(ObjectStoreError) in
            try await completeOrFind(request, bucket)
        }
    }

    private func completeOrFind(
        _ request: CompleteUploadRequest, _ bucket: BucketInfo
    ) async throws(ObjectStoreError) -> ObjectInfo {
        do {
            return try await complete(request, bucket)
        } catch .noSuchUpload {
            guard let info = try await completedBefore(request, bucket) else {
                throw .noSuchUpload
            }
            return info
        }
    }

    private func complete(
        _ request: CompleteUploadRequest, _ bucket: BucketInfo
    ) async throws(ObjectStoreError) -> ObjectInfo {
        let address = request.address
        var page = try await parts(
            of: address, bucket, after: 0, limit: ObjectStoreLimits.pageEntriesMax)
        let upload = page.upload
        var plan = try CompletionPlan(request.parts, upload: UploadInfo(upload))
        while true {
            try plan.add(page.parts.lazy.map(PartInfo.init))
            guard page.isTruncated, !plan.isComplete, let last = page.parts.last else { break }
            page = try await parts(
                of: address, bucket, after: Int(last.number),
                limit: ObjectStoreLimits.pageEntriesMax)
        }
        try plan.finish()
        let checksum = try Self.check(plan, request)
        guard let etag = plan.etag else { throw .damaged("parts with ETags that are no MD5") }
        var command = ProtoCompleteUpload()
        command.bucket = bucket.id.rawValue
        command.key = address.object.key.data
        command.upload = address.upload.data
        command.parts = request.parts.map { part in
            .with {
                $0.number = UInt32(part.number)
                $0.etag = part.etag
                $0.checksum = Data(part.checksum?.value ?? [])
            }
        }
        command.head = upload.head
        command.head.size = UInt64(plan.size)
        command.head.etag = etag
        command.head.modifiedMs = clocks.wall.milliseconds
        command.head.partCount = UInt32(request.parts.count)
        command.head.checksum = checksum?.proto ?? ProtoObjectChecksum()
        command.precondition = request.conditions.proto
        let head = command.head
        let result = try await commit(
            .completeUpload(command), bucket: bucket.id, conditions: request.conditions)
        return ObjectInfo(result.hasHead ? result.head : head)
    }

    /// What the client says the whole would be.
    private static func check(
        _ plan: CompletionPlan, _ request: CompleteUploadRequest
    ) throws(ObjectStoreError) -> ObjectChecksum? {
        if let declared = request.declaredSize, declared != plan.size {
            throw .invalidRequest(
                "The provided 'x-amz-mp-object-size' header value \(declared) does not match "
                    + "what was computed: \(plan.size)")
        }
        let checksum = plan.objectChecksum
        if let declared = request.declaredChecksum {
            guard declared.algorithm == checksum?.algorithm, declared.value == checksum?.value
            else { throw .badDigest(declared: declared.algorithm.rawValue) }
        }
        return checksum
    }

    private func completedBefore(
        _ request: CompleteUploadRequest, _ bucket: BucketInfo
    ) async throws(ObjectStoreError) -> ObjectInfo? {
        guard let etag = MultipartETag.of(request.parts.map(\.etag)) else { return nil }
        do {
            let found = try await find(request.address.object.key, bucket, withBody: true)
            guard case .multipart(let body) = found.body.kind,
                body.upload == request.address.upload.data,
                found.head.etag == etag
            else { return nil }
            return ObjectInfo(found.head)
        } catch .noSuchKey {
            return nil
        }
    }
}
