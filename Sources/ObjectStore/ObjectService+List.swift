import Core
import Foundation
import Messages

extension ObjectService {
    /// ListObjects and ListObjectsV2: one page is one question to the range.
    package func list(_ request: ListRequest) async throws(ObjectStoreError) -> ListPage {
        let after: [UInt8] =
            switch request.start {
            case .beginning: []
            case .after(let key): key
            case .continuing(let token): try ContinuationToken.decode(token)
            }
        let limit = max(0, min(request.limit, ObjectStoreLimits.pageEntriesMax))
        return try await withBucket(request.bucket) { bucket throws(ObjectStoreError) in
            var question = ProtoListObjects()
            question.bucket = bucket.id.rawValue
            question.prefix = Data(request.prefix)
            question.delimiter = Data(request.delimiter)
            question.after = Data(after)
            question.limit = UInt32(limit)
            let list = try await ask(.listObjects(question), bucket: bucket.id).objects
            // S3 calls a page that was asked to be empty complete.
            let isTruncated = list.isTruncated && limit > 0
            let next = isTruncated ? Array(list.nextAfter) : []
            return ListPage(
                objects: list.objects.map(ListedObject.init),
                commonPrefixes: list.commonPrefixes.map { Array($0) }, isTruncated: isTruncated,
                nextMarker: next,
                continuationToken: isTruncated ? ContinuationToken.encode(next) : nil)
        }
    }
}

extension ListedObject {
    init(_ proto: ProtoListedObject) {
        self.init(
            key: ObjectKey(stored: proto.key), size: Int(proto.size), etag: proto.etag,
            modified: WallTime(milliseconds: proto.modifiedMs),
            checksumAlgorithm: ObjectChecksum.Algorithm(proto.checksumAlgorithm),
            isChecksumComposite: proto.checksumIsComposite)
    }
}

/// Where a list goes on, as text that clients give back unread: hex of a version byte and the key.
enum ContinuationToken {
    private static let version: UInt8 = 1

    static func encode(_ after: [UInt8]) -> String { Hex.encode([version] + after) }

    static func decode(_ token: String) throws(ObjectStoreError) -> [UInt8] {
        guard token.utf8.count <= 2 * (Limits.objectKeyBytesMax + 1),
            let bytes = Hex.decode(token), bytes.first == version
        else { throw .invalidArgument("The continuation token provided is incorrect") }
        return Array(bytes.dropFirst())
    }
}
