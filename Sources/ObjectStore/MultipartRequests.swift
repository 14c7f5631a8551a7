import Core

package struct UploadAddress: Hashable, Sendable {
    package let object: ObjectAddress
    package let upload: UploadID
    package init(_ object: ObjectAddress, upload: UploadID) {
        self.object = object
        self.upload = upload
    }
}

/// How the checksum of a multipart object comes from those of its parts (x-amz-checksum-type).
package enum ChecksumType: Hashable, Sendable {
    /// Checksum of the parts' checksums: CRC32, CRC32C, SHA1, SHA256.
    case composite
    /// As if sent in one piece: CRC32, CRC32C, CRC64NVME.
    case fullObject
}

package struct CreateUploadRequest: Sendable {
    package var address: ObjectAddress
    package var attributes = ObjectAttributes()
    package var checksum: ObjectChecksum.Algorithm?
    /// `nil`: S3's default for the algorithm (CRC64NVME: full object, else composite).
    package var checksumType: ChecksumType?
    /// Access key.
    package var owner: String
    package init(_ address: ObjectAddress, owner: String) {
        self.address = address
        self.owner = owner
    }
}

package struct CreateUploadResult: Sendable {
    package let upload: UploadID
    package let checksum: ObjectChecksum.Algorithm?
    package let checksumType: ChecksumType?
}

package struct PutPartRequest: Sendable {
    package var address: UploadAddress
    /// 1...10,000; anything else is refused.
    package var number: Int
    package var length: Int
    package var contentMD5: [UInt8]?
    /// As for ``PutRequest``; where `nil`, the upload's algorithm is computed and stored.
    package var checksum: ObjectChecksum.Algorithm?
    package var declaredChecksum: ObjectChecksum?
    package init(_ address: UploadAddress, number: Int, length: Int) {
        self.address = address
        self.number = number
        self.length = length
    }
}

package struct CopyPartRequest: Sendable {
    package var address: UploadAddress
    package var number: Int
    package var source: ObjectAddress
    /// x-amz-copy-source-range: both inclusive, must lie within the source.
    package var sourceRange: ClosedRange<Int>?
    package var sourceConditions = ReadConditions()
    package init(_ address: UploadAddress, number: Int, source: ObjectAddress) {
        self.address = address
        self.number = number
        self.source = source
    }
}

package struct PartInfo: Hashable, Sendable {
    package let number: Int
    package let size: Int
    /// Without quotes.
    package let etag: String
    package let modified: WallTime
    package let checksum: ObjectChecksum?
}

package struct CompleteUploadRequest: Sendable {
    package struct Part: Hashable, Sendable {
        package var number: Int
        /// Without quotes.
        package var etag: String
        package var checksum: ObjectChecksum?
        package init(number: Int, etag: String, checksum: ObjectChecksum? = nil) {
            self.number = number
            self.etag = etag
            self.checksum = checksum
        }
    }
    package var address: UploadAddress
    /// As the client listed them, 1...10,000 of them.
    package var parts: [Part]
    package var conditions = WriteConditions()
    /// From an `x-amz-checksum-…` header: of the whole object.
    package var declaredChecksum: ObjectChecksum?
    /// x-amz-mp-object-size.
    package var declaredSize: Int?
    package init(_ address: UploadAddress, parts: [Part]) {
        self.address = address
        self.parts = parts
    }
}

package struct ListPartsRequest: Sendable {
    package var address: UploadAddress
    /// part-number-marker: exclusive.
    package var after = 0
    package var limit = 1000
    package init(_ address: UploadAddress) { self.address = address }
}

package struct UploadInfo: Hashable, Sendable {
    package let upload: UploadID
    package let key: ObjectKey
    package let initiated: WallTime
    package let owner: String
    package let checksum: ObjectChecksum.Algorithm?
    package let checksumType: ChecksumType?
}

package struct PartPage: Sendable {
    package let upload: UploadInfo
    package let parts: [PartInfo]
    package let isTruncated: Bool
    /// NextPartNumberMarker: the last part of this page; 0 if it is empty.
    package let nextAfter: Int
}

package struct ListUploadsRequest: Sendable {
    package var bucket: String
    package var prefix: [UInt8] = []
    package var delimiter: [UInt8] = []
    package var keyMarker: [UInt8] = []
    /// Only with `keyMarker`.
    package var uploadMarker: UploadID?
    package var limit = 1000
    package init(bucket: String) { self.bucket = bucket }
}

package struct UploadPage: Sendable {
    package let uploads: [UploadInfo]
    package let commonPrefixes: [[UInt8]]
    package let isTruncated: Bool
    package let nextKeyMarker: [UInt8]
    package let nextUploadMarker: UploadID?
}

package struct BucketPage: Sendable {
    package let buckets: [BucketInfo]
    /// The name to go on after; `nil` at the end.
    package let nextAfter: String?
}
