import Core
import Foundation
import Messages

/// The key of an object: UTF-8 bytes, compared, ordered and hashed as bytes. Never a `String`,
/// whose equality folds canonically equivalent names together.
package struct ObjectKey: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let bytes: [UInt8]

    /// - Throws: ``ObjectStoreError/keyTooLong(bytes:)`` or ``ObjectStoreError/invalidKey`` unless
    ///   `bytes` are 1...1,024 bytes of valid UTF-8.
    package init(_ bytes: some Sequence<UInt8>) throws(ObjectStoreError) {
        let bytes = Array(bytes)
        guard bytes.count <= Limits.objectKeyBytesMax else {
            throw .keyTooLong(bytes: bytes.count)
        }
        guard !bytes.isEmpty, String(validating: bytes, as: UTF8.self) != nil else {
            throw .invalidKey
        }
        self.bytes = bytes
    }

    package init(_ text: String) throws(ObjectStoreError) { try self.init(text.utf8) }

    /// A key that the catalogue holds: it was checked when it went in.
    init(stored data: Data) { bytes = Array(data) }

    package var data: Data { Data(bytes) }

    package var description: String { String(decoding: bytes, as: UTF8.self) }

    package static func < (left: Self, right: Self) -> Bool {
        left.bytes.lexicographicallyPrecedes(right.bytes)
    }
}

/// Which object.
package struct ObjectAddress: Hashable, Sendable {
    package let bucket: String
    package let key: ObjectKey
    package init(bucket: String, key: ObjectKey) {
        self.bucket = bucket
        self.key = key
    }
}

/// A bucket as the catalogue knows it.
package struct BucketInfo: Hashable, Sendable {
    package let id: BucketID
    package let name: String
    package let created: WallTime
    /// Access key that made it.
    package let owner: String
    package init(id: BucketID, name: String, created: WallTime, owner: String) {
        self.id = id
        self.name = name
        self.created = created
        self.owner = owner
    }

    package init(_ proto: ProtoBucket) {
        self.init(
            id: BucketID(rawValue: proto.id), name: proto.name,
            created: WallTime(milliseconds: proto.createdMs), owner: proto.owner)
    }
}

/// A checksum that S3 clients ask for, send and get back.
package struct ObjectChecksum: Hashable, Sendable {
    package enum Algorithm: String, Hashable, Sendable, CaseIterable {
        case crc32, crc32c, crc64nvme, sha1, sha256

        package var byteCount: Int {
            switch self {
            case .crc32, .crc32c: 4
            case .crc64nvme: 8
            case .sha1: 20
            case .sha256: 32
            }
        }
    }

    package let algorithm: Algorithm
    /// Raw, big-endian; ``Algorithm/byteCount`` bytes.
    package let value: [UInt8]
    /// Checksum of the parts' checksums; else of the whole object.
    package let isComposite: Bool

    package init(algorithm: Algorithm, value: [UInt8], isComposite: Bool = false) {
        self.algorithm = algorithm
        self.value = value
        self.isComposite = isComposite
    }
}

/// What is known of an object beside its bytes: a view of the catalogue's record, without copying.
package struct ObjectInfo: Hashable, Sendable {
    package let head: ProtoObjectHead
    package init(_ head: ProtoObjectHead) { self.head = head }

    package var size: Int { Int(head.size) }
    /// Without quotes.
    package var etag: String { head.etag }
    package var modified: WallTime { WallTime(milliseconds: head.modifiedMs) }
    /// Content-Type, Cache-Control, …; lower-case names, as the writer gave them.
    package var headers: [ProtoNameValue] { head.headers }
    /// x-amz-meta-…, without that prefix.
    package var userMetadata: [ProtoNameValue] { head.userMetadata }
    /// 0 unless uploaded in parts.
    package var partCount: Int { Int(head.partCount) }
    package var checksum: ObjectChecksum? { ObjectChecksum(head.checksum) }
}

/// Headers and metadata for an object to be.
package struct ObjectAttributes: Hashable, Sendable {
    /// Content-Type, Cache-Control, Content-Disposition, Content-Encoding, Content-Language,
    /// Expires; lower-case names.
    package var headers: [ProtoNameValue]
    /// x-amz-meta-…, without that prefix, lower case. The gateway has checked the 2 KiB limit.
    package var userMetadata: [ProtoNameValue]

    package init(headers: [ProtoNameValue] = [], userMetadata: [ProtoNameValue] = []) {
        self.headers = headers
        self.userMetadata = userMetadata
    }
}

extension ObjectChecksum.Algorithm {
    /// - Returns: `nil` for none, and for one that a newer version wrote.
    package init?(_ proto: ProtoChecksumAlgorithm) {
        switch proto {
        case .crc32: self = .crc32
        case .crc32C: self = .crc32c
        case .crc64Nvme: self = .crc64nvme
        case .sha1: self = .sha1
        case .sha256: self = .sha256
        case .none, .UNRECOGNIZED: return nil
        }
    }

    package var proto: ProtoChecksumAlgorithm {
        switch self {
        case .crc32: .crc32
        case .crc32c: .crc32C
        case .crc64nvme: .crc64Nvme
        case .sha1: .sha1
        case .sha256: .sha256
        }
    }
}

extension ObjectChecksum {
    /// - Returns: `nil` where none is stored.
    package init?(_ proto: ProtoObjectChecksum) {
        guard let algorithm = Algorithm(proto.algorithm), !proto.value.isEmpty else { return nil }
        self.init(
            algorithm: algorithm, value: Array(proto.value), isComposite: proto.isComposite)
    }

    package var proto: ProtoObjectChecksum {
        var proto = ProtoObjectChecksum()
        proto.algorithm = algorithm.proto
        proto.value = Data(value)
        proto.isComposite = isComposite
        return proto
    }
}
