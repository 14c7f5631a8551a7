import Core
import Messages
import NIOCore

/// A stored body as the source of a new one.
struct BodySource: ByteSource {
    private var iterator: ObjectBody.AsyncIterator
    init(_ body: ObjectBody) { iterator = body.makeAsyncIterator() }
    mutating func next() async throws -> ByteBuffer? { try await iterator.next() }
}

extension ObjectService {
    /// CopyObject: the bytes are opened, sealed under a new key and written anew.
    package func copy(_ request: CopyRequest) async throws -> ObjectInfo {
        guard request.source != request.destination || request.replacement != nil else {
            throw ObjectStoreError.invalidRequest(
                "This copy request is illegal because it is trying to copy an object to itself "
                    + "without changing the object's metadata, storage class, website redirect "
                    + "location or encryption attributes.")
        }
        let (info, body) = try await openSource(
            request.source, request.sourceConditions, range: nil)
        guard info.size <= Limits.partBytesMax else {
            throw ObjectStoreError.invalidRequest(
                "The specified copy source is larger than the maximum allowable size for a copy "
                    + "source: \(Limits.partBytesMax)")
        }
        var put = PutRequest(request.destination, length: info.size)
        put.attributes =
            request.replacement
            ?? ObjectAttributes(headers: info.headers, userMetadata: info.userMetadata)
        put.conditions = request.conditions
        put.checksum =
            request.checksum ?? ObjectChecksum.Algorithm(info.head.checksum.algorithm)
        return try await self.put(put, body: BodySource(body))
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
