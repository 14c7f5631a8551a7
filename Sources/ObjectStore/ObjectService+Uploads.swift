import Core
import Foundation
import Messages

// What is under way: lists of uploads and of their parts.
extension ObjectService {
    package func listParts(_ request: ListPartsRequest) async throws(ObjectStoreError) -> PartPage {
        let limit = max(0, min(request.limit, ObjectStoreLimits.pageEntriesMax))
        let address = request.address
        return try await withBucket(address.object.bucket) { bucket throws(ObjectStoreError) in
            let list = try await parts(
                of: address, bucket, after: max(0, request.after), limit: max(1, limit))
            let shown = list.parts.prefix(limit)
            return PartPage(
                upload: try UploadInfo(list.upload), parts: shown.map(PartInfo.init),
                isTruncated: list.isTruncated && limit > 0,
                nextAfter: shown.last.map { Int($0.number) } ?? 0)
        }
    }

    func parts(
        of address: UploadAddress, _ bucket: BucketInfo, after: Int, limit: Int
    ) async throws(ObjectStoreError) -> ProtoPartList {
        var question = ProtoListParts()
        question.bucket = bucket.id.rawValue
        question.key = address.object.key.data
        question.upload = address.upload.data
        question.afterNumber = UInt32(min(after, Limits.partCountMax))
        question.limit = UInt32(limit)
        return try await ask(.listParts(question), bucket: bucket.id).parts
    }

    package func listUploads(
        _ request: ListUploadsRequest
    ) async throws(ObjectStoreError) -> UploadPage {
        let limit = max(0, min(request.limit, ObjectStoreLimits.pageEntriesMax))
        return try await withBucket(request.bucket) { bucket throws(ObjectStoreError) in
            var question = ProtoListUploads()
            question.bucket = bucket.id.rawValue
            question.prefix = Data(request.prefix)
            question.delimiter = Data(request.delimiter)
            question.afterKey = Data(request.keyMarker)
            if !request.keyMarker.isEmpty {
                question.afterUpload = request.uploadMarker?.data ?? Data()
            }
            question.limit = UInt32(limit)
            let list = try await ask(.listUploads(question), bucket: bucket.id).uploads
            var uploads: [UploadInfo] = []
            for upload in list.uploads { uploads.append(try UploadInfo(upload)) }
            let isTruncated = list.isTruncated && limit > 0
            return UploadPage(
                uploads: uploads, commonPrefixes: list.commonPrefixes.map { Array($0) },
                isTruncated: isTruncated,
                nextKeyMarker: isTruncated ? Array(list.nextAfterKey) : [],
                nextUploadMarker: isTruncated ? UploadID(bytes: list.nextAfterUpload) : nil)
        }
    }
}

extension UploadInfo {
    init(_ proto: ProtoUpload) throws(ObjectStoreError) {
        guard let id = UploadID(bytes: proto.id) else {
            throw .damaged("an upload without an id")
        }
        let algorithm = ObjectChecksum.Algorithm(proto.head.checksum.algorithm)
        let type: ChecksumType = proto.head.checksum.isComposite ? .composite : .fullObject
        self.init(
            upload: id, key: ObjectKey(stored: proto.key),
            initiated: WallTime(milliseconds: proto.initiatedMs), owner: proto.owner,
            checksum: algorithm, checksumType: algorithm == nil ? nil : type)
    }
}
