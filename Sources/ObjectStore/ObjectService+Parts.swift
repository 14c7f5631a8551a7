import Core
import Foundation
import Messages
import NIOCore

extension ObjectService {
    /// CreateMultipartUpload. The upload lives in the catalogue, so each part may come through
    /// another gateway.
    package func createUpload(
        _ request: CreateUploadRequest
    ) async throws(ObjectStoreError) -> CreateUploadResult {
        let type = try Self.checksumType(request)
        let id: UploadID = random.identifier()
        try await withBucket(request.address.bucket) { bucket throws(ObjectStoreError) in
            var command = ProtoCreateUpload()
            command.bucket = bucket.id.rawValue
            command.upload.id = id.data
            command.upload.key = request.address.key.data
            command.upload.initiatedMs = clocks.wall.milliseconds
            command.upload.head.headers = request.attributes.headers
            command.upload.head.userMetadata = request.attributes.userMetadata
            if let algorithm = request.checksum {
                command.upload.head.checksum.algorithm = algorithm.proto
                command.upload.head.checksum.isComposite = type == .composite
            }
            command.upload.owner = request.owner
            _ = try await commit(.createUpload(command), bucket: bucket.id)
        }
        return CreateUploadResult(
            upload: id, checksum: request.checksum, checksumType: type)
    }

    /// S3's table of which algorithm does what.
    private static func checksumType(
        _ request: CreateUploadRequest
    ) throws(ObjectStoreError) -> ChecksumType? {
        guard let algorithm = request.checksum else {
            guard request.checksumType == nil else {
                throw .invalidRequest(
                    "The x-amz-checksum-type header can only be used with the "
                        + "x-amz-checksum-algorithm header.")
            }
            return nil
        }
        let type = request.checksumType ?? (algorithm == .crc64nvme ? .fullObject : .composite)
        switch (algorithm, type) {
        case (.crc64nvme, .composite), (.sha1, .fullObject), (.sha256, .fullObject):
            throw .invalidRequest(
                "The \(type == .composite ? "COMPOSITE" : "FULL_OBJECT") checksum type cannot be "
                    + "used with the \(algorithm.rawValue) checksum algorithm.")
        case (.crc32, _), (.crc32c, _), (.sha1, .composite), (.sha256, .composite),
            (.crc64nvme, .fullObject):
            return type
        }
    }

    /// UploadPart.
    package func putPart(
        _ request: PutPartRequest, body: sending some ByteSource
    ) async throws -> PartInfo {
        try Self.check(request.number)
        guard request.length <= Limits.partBytesMax else {
            throw ObjectStoreError.entityTooLarge(bytesMax: Limits.partBytesMax)
        }
        let (bucket, upload) = try await find(request.address)
        let reservation = try reserveForWrite(of: request.length)
        defer { withExtendedLifetime(reservation) {} }
        let key = request.address.object.key
        let stored = try await writer.store(
            body, length: request.length,
            owner: BodyOwner(
                bucket: bucket.id, key: key, upload: request.address.upload, part: request.number),
            claims: BodyClaims(
                contentMD5: request.contentMD5,
                checksum: request.checksum ?? request.declaredChecksum?.algorithm
                    ?? ObjectChecksum.Algorithm(upload.head.checksum.algorithm),
                declared: request.declaredChecksum))
        var command = ProtoPutPart()
        command.bucket = bucket.id.rawValue
        command.key = key.data
        command.upload = request.address.upload.data
        command.part.number = UInt32(request.number)
        command.part.size = UInt64(stored.size)
        command.part.etag = stored.etag
        command.part.modifiedMs = clocks.wall.milliseconds
        if let checksum = stored.checksum { command.part.checksum = checksum.proto }
        command.part.body = stored.body
        command.missing = stored.missing
        let part = command.part
        _ = try await name(stored, in: bucket, by: .putPart(command))
        return PartInfo(part)
    }

    /// UploadPartCopy.
    package func copyPart(_ request: CopyPartRequest) async throws -> PartInfo {
        try Self.check(request.number)
        let (_, body) = try await openSource(
            request.source, request.sourceConditions, range: request.sourceRange)
        guard body.length <= Limits.partBytesMax else {
            throw ObjectStoreError.invalidRequest(
                "The specified copy source is larger than the maximum allowable size for a copy "
                    + "source: \(Limits.partBytesMax)")
        }
        return try await putPart(
            PutPartRequest(request.address, number: request.number, length: body.length),
            body: BodySource(body))
    }

    private static func check(_ number: Int) throws(ObjectStoreError) {
        guard number >= 1, number <= Limits.partCountMax else {
            throw .invalidArgument(
                "Part number must be an integer between 1 and \(Limits.partCountMax), inclusive")
        }
    }

    /// AbortMultipartUpload: its parts are removed in the background.
    package func abortUpload(_ address: UploadAddress) async throws(ObjectStoreError) {
        try await withBucket(address.object.bucket) { bucket throws(ObjectStoreError) in
            var command = ProtoAbortUpload()
            command.bucket = bucket.id.rawValue
            command.key = address.object.key.data
            command.upload = address.upload.data
            _ = try await commit(.abortUpload(command), bucket: bucket.id)
        }
    }

    /// Looked up before a part's bytes are taken, so that gigabytes are not sent for nothing.
    func find(
        _ address: UploadAddress
    ) async throws(ObjectStoreError) -> (BucketInfo, ProtoUpload) {
        try await withBucket(address.object.bucket) { bucket throws(ObjectStoreError) in
            var question = ProtoGetUpload()
            question.bucket = bucket.id.rawValue
            question.key = address.object.key.data
            question.upload = address.upload.data
            return (bucket, try await ask(.getUpload(question), bucket: bucket.id).upload)
        }
    }
}

extension PartInfo {
    init(_ proto: ProtoPart) {
        self.init(
            number: Int(proto.number), size: Int(proto.size), etag: proto.etag,
            modified: WallTime(milliseconds: proto.modifiedMs),
            checksum: ObjectChecksum(proto.checksum))
    }
}
