import Core
import Foundation
import Messages
import NIOCore

/// A stored body as the source of a new one.
struct BodySource: ByteSource {
    private var iterator: ObjectBody.AsyncIterator
    init(_ body: ObjectBody) { iterator = body.makeAsyncIterator() }
    mutating func next() async throws -> ByteBuffer? { try await iterator.next() }
}

extension ObjectService {
    /// CopyObject: the bytes are opened, sealed under a new key and written anew; those of an
    /// object copied to itself, for the sake of its metadata, stay where they are.
    package func copy(_ request: CopyRequest) async throws -> ObjectInfo {
        if request.source == request.destination {
            guard let replacement = request.replacement else {
                throw ObjectStoreError.invalidRequest(
                    "This copy request is illegal because it is trying to copy an object to itself "
                        + "without changing the object's metadata, storage class, website redirect "
                        + "location or encryption attributes.")
            }
            if let info = try await replaceAttributes(request, replacement) { return info }
        }
        let (info, body) = try await openSource(
            request.source, request.sourceConditions, range: nil)
        try Self.checkSourceSize(info)
        var put = PutRequest(request.destination, length: info.size)
        put.attributes =
            request.replacement
            ?? ObjectAttributes(headers: info.headers, userMetadata: info.userMetadata)
        put.conditions = request.conditions
        put.checksum =
            request.checksum ?? ObjectChecksum.Algorithm(info.head.checksum.algorithm)
        return try await self.put(put, body: BodySource(body))
    }

    private static func checkSourceSize(_ info: ObjectInfo) throws(ObjectStoreError) {
        guard info.size <= Limits.partBytesMax else {
            throw .invalidRequest(
                "The specified copy source is larger than the maximum allowable size for a copy "
                    + "source: \(Limits.partBytesMax)")
        }
    }

    /// Writes the head anew. It is read and replaced only if it is still the same then, so that the
    /// conditions hold in the moment of the change.
    ///
    /// - Returns: `nil` where the bytes are needed after all, for another checksum.
    private func replaceAttributes(
        _ request: CopyRequest, _ attributes: ObjectAttributes
    ) async throws(ObjectStoreError) -> ObjectInfo? {
        for _ in 0..<ObjectStoreLimits.headAttemptsMax {
            do {
                return try await withBucket(request.source.bucket) {
                    bucket throws(ObjectStoreError) in
                    try await replaceAttributes(request, attributes, in: bucket)
                }
            } catch .preconditionFailed(let condition) where condition == Self.headChanged {
                continue
            }
        }
        throw .slowDown("the object was overwritten again and again while its metadata changed")
    }

    /// Not a header's name: the precondition is our own.
    private static let headChanged = "the head as it was read"

    private func replaceAttributes(
        _ request: CopyRequest, _ attributes: ObjectAttributes, in bucket: BucketInfo
    ) async throws(ObjectStoreError) -> ObjectInfo? {
        let key = request.source.key
        var head = try await find(key, bucket, withBody: false).head
        let info = ObjectInfo(head)
        try request.sourceConditions.checkSource(info)
        try Self.checkSourceSize(info)
        try request.conditions.check(info)
        if let algorithm = request.checksum,
            algorithm != ObjectChecksum.Algorithm(head.checksum.algorithm)
        {
            return nil
        }
        var command = ProtoReplaceHead()
        command.bucket = bucket.id.rawValue
        command.key = key.data
        command.ifEtag = head.etag
        command.ifModifiedMs = head.modifiedMs
        command.modifiedMs = clocks.wall.milliseconds
        command.headers = attributes.headers
        command.userMetadata = attributes.userMetadata
        do {
            _ = try await commit(.replaceHead(command), bucket: bucket.id)
        } catch .preconditionFailed {
            throw .preconditionFailed(condition: Self.headChanged)
        }
        head.modifiedMs = command.modifiedMs
        head.headers = command.headers
        head.userMetadata = command.userMetadata
        return ObjectInfo(head)
    }

    /// - Parameter range: must lie within the source.
    func openSource(
        _ address: ObjectAddress, _ conditions: ReadConditions, range: ClosedRange<Int>?
    ) async throws(ObjectStoreError) -> (ObjectInfo, ObjectBody) {
        try await withBucket(address.bucket) { bucket throws(ObjectStoreError) in
            let found = try await find(address.key, bucket, withBody: true)
            let info = ObjectInfo(found.head)
            try conditions.checkSource(info)
            if let range, range.lowerBound < 0 || range.upperBound >= info.size {
                throw .invalidArgument(
                    "Range specified is not valid for source object of size: \(info.size)")
            }
            let bytes = range.map { $0.lowerBound..<$0.upperBound + 1 } ?? 0..<info.size
            return (info, try await open(found, bucket, bytes))
        }
    }
}
