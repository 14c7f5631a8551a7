import Core
import NIOCore

/// PutObject. `length` is the body's decoded length, which S3 requires to be known.
package struct PutRequest: Sendable {
    package var address: ObjectAddress
    /// Bytes of the body, exactly.
    package var length: Int
    package var attributes = ObjectAttributes()
    package var conditions = WriteConditions()
    /// Content-MD5, 16 bytes; compared with the bytes received.
    package var contentMD5: [UInt8]?
    /// Computed, stored and given back; compared if `declaredChecksum`, or the source's trailer,
    /// says what it should be.
    package var checksum: ObjectChecksum.Algorithm?
    /// From an `x-amz-checksum-…` header.
    package var declaredChecksum: ObjectChecksum?

    package init(_ address: ObjectAddress, length: Int) {
        self.address = address
        self.length = length
    }
}

/// GetObject. At most one of `range` and `partNumber`.
package struct GetRequest: Sendable {
    package var address: ObjectAddress
    package var range: ByteRange?
    package var partNumber: Int?
    package var conditions = ReadConditions()
    package init(_ address: ObjectAddress) { self.address = address }
}

package struct GetResult: Sendable {
    package let info: ObjectInfo
    /// The bytes of the object that the body holds: all of them unless a range or a part was asked
    /// for.
    package let range: Range<Int>
    /// A range or part was asked for and found: 206.
    package let isPartial: Bool
    /// The first bytes are verified already.
    package let body: ObjectBody
}

package struct HeadRequest: Sendable {
    package var address: ObjectAddress
    package var range: ByteRange?
    package var partNumber: Int?
    package var conditions = ReadConditions()
    package init(_ address: ObjectAddress) { self.address = address }
}

package struct HeadResult: Sendable {
    package let info: ObjectInfo
    package let range: Range<Int>
    package let isPartial: Bool
}

/// CopyObject, within this store: the bytes stream through this process, unless an object is copied
/// to itself.
package struct CopyRequest: Sendable {
    package var source: ObjectAddress
    package var destination: ObjectAddress
    package var sourceConditions = ReadConditions()
    package var conditions = WriteConditions()
    /// `nil`: directive COPY. Else REPLACE with these.
    package var replacement: ObjectAttributes?
    /// `nil`: the source's algorithm, if it has one.
    package var checksum: ObjectChecksum.Algorithm?
    package init(from source: ObjectAddress, to destination: ObjectAddress) {
        self.source = source
        self.destination = destination
    }
}

/// ListObjects and ListObjectsV2.
package struct ListRequest: Sendable {
    package var bucket: String
    package var prefix: [UInt8] = []
    package var delimiter: [UInt8] = []
    /// Where the page begins.
    package var start: ListStart = .beginning
    /// max-keys: 0...; cut at 1,000.
    package var limit = 1000
    package init(bucket: String) { self.bucket = bucket }
}

package enum ListStart: Hashable, Sendable {
    case beginning
    /// v1 `marker`, v2 `start-after`: exclusive.
    case after([UInt8])
    /// v2 `continuation-token`, as a former ``ListPage/continuationToken`` gave it.
    case continuing(token: String)
}

package struct ListedObject: Hashable, Sendable {
    package let key: ObjectKey
    package let size: Int
    package let etag: String
    package let modified: WallTime
    package let checksumAlgorithm: ObjectChecksum.Algorithm?
    package let isChecksumComposite: Bool
}

package struct ListPage: Sendable {
    /// In byte order.
    package let objects: [ListedObject]
    package let commonPrefixes: [[UInt8]]
    package let isTruncated: Bool
    /// v1 NextMarker: the last key or common prefix of this page; empty unless truncated.
    package let nextMarker: [UInt8]
    /// v2 NextContinuationToken: URL-safe text; `nil` unless truncated.
    package let continuationToken: String?
}
