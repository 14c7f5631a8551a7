import Core
import Foundation
import Messages

/// What a chunk belongs to. It travels with the chunk, sealed, so that a catalogue can be checked
/// against the data, or rebuilt from it. Big-endian:
///
/// | offset | bytes | field      |                                              |
/// |-------:|------:|------------|----------------------------------------------|
/// |      0 |     1 | version    | 1                                            |
/// |      1 |     8 | kek        | identifier of the key-encryption key         |
/// |      9 |    12 | nonce      | random                                       |
/// |     21 |     n | sealed     | AES-256-GCM of the fields below, 0..<21 authenticated |
/// |  21+n  |    16 | tag        |                                              |
///
/// | offset | bytes | sealed field |                                            |
/// |-------:|------:|--------------|--------------------------------------------|
/// |      0 |     8 | bucket       |                                            |
/// |      8 |    16 | write        | one body: the id of its writing            |
/// |     24 |    16 | upload       | zero unless a part of a multipart upload   |
/// |     40 |     4 | part         | 0 unless a part                            |
/// |     44 |     4 | chunk        | position in the body, from 0               |
/// |     48 |     4 | chunk bytes  | plaintext                                  |
/// |     52 |     8 | body bytes   | plaintext                                  |
/// |     60 |     8 | written      | milliseconds since 1970                    |
/// |     68 |    12 | key nonce    | the wrapped data key of the body …         |
/// |     80 |    48 | key sealed   | … under the same key-encryption key        |
/// |    128 |  1024 | object key   | to the end                                 |
///
/// The sealing key is HKDF-SHA256 of the key-encryption key for ``keyPurpose``.
package struct OwnerRecord: Hashable, Sendable {
    package static let keyPurpose = "dstorage owner record v1"
    package static let version: UInt8 = 1
    static let headerBytes = 21
    static let fixedBytes = 128

    package var bucket: BucketID
    package var write: CommandID
    package var upload: UploadID?
    package var part = 0
    package var chunk = 0
    package var chunkBytes = 0
    package var bodyBytes: Int
    package var written: WallTime
    package var wrappedKey: ProtoWrappedKey
    package var key: ObjectKey

    package func sealed(by ring: KeyRing, random: Randomness) -> [UInt8] {
        guard let ownerKey = ring.ownerKey(wrappedKey.kek) else {
            preconditionFailure("the data key was wrapped by this ring")
        }
        let nonce = random.bytes(BlockCipher.nonceBytes)
        let header = [Self.version] + wrappedKey.kek.bigEndianBytes + nonce
        var cipher = BlockCipher(key: ownerKey)
        let record = header + cipher.seal(plain, nonce: nonce, authenticating: header)
        precondition(record.count <= Limits.ownerRecordBytesMax)
        return record
    }

    private var plain: [UInt8] {
        var plain: [UInt8] = []
        plain.reserveCapacity(Self.fixedBytes + key.bytes.count)
        plain += bucket.rawValue.bigEndianBytes
        plain += write.bytes
        plain += (upload ?? UploadID(high: 0, low: 0)).bytes
        plain += UInt32(part).bigEndianBytes
        plain += UInt32(chunk).bigEndianBytes
        plain += UInt32(chunkBytes).bigEndianBytes
        plain += UInt64(bodyBytes).bigEndianBytes
        plain += written.milliseconds.bigEndianBytes
        plain += wrappedKey.nonce
        plain += wrappedKey.sealed
        precondition(plain.count == Self.fixedBytes)
        return plain + key.bytes
    }

    /// - Throws: ``ObjectStoreError/damaged(_:)`` for another version, an unknown key, or bytes
    ///   that are not what was sealed.
    package init(opening record: [UInt8], by ring: KeyRing) throws(ObjectStoreError) {
        guard record.count >= Self.headerBytes + BlockCipher.tagBytes else {
            throw .damaged("an owner record of \(record.count) bytes")
        }
        guard record[0] == Self.version else {
            throw .damaged("an owner record of version \(record[0])")
        }
        let header = Array(record[..<Self.headerBytes])
        let kek = Self.number(header, 1, 8)
        guard let ownerKey = ring.ownerKey(kek) else {
            throw .damaged("an owner record of an unknown key-encryption key")
        }
        var cipher = BlockCipher(key: ownerKey)
        let plain = cipher.open(
            Array(record[Self.headerBytes...]), nonce: Array(header[9...]), authenticating: header)
        guard let plain, plain.count > Self.fixedBytes,
            let write = CommandID(bytes: plain[8..<24]),
            let upload = UploadID(bytes: plain[24..<40]),
            let bodyBytes = Int(exactly: Self.number(plain, 52, 8))
        else { throw .damaged("an owner record does not open") }
        self.bucket = BucketID(rawValue: Self.number(plain, 0, 8))
        self.write = write
        self.upload = upload == UploadID(high: 0, low: 0) ? nil : upload
        self.part = Int(Self.number(plain, 40, 4))
        self.chunk = Int(Self.number(plain, 44, 4))
        self.chunkBytes = Int(Self.number(plain, 48, 4))
        self.bodyBytes = bodyBytes
        self.written = WallTime(
            milliseconds: Int64(bitPattern: Self.number(plain, 60, 8)))
        self.wrappedKey = ProtoWrappedKey()
        self.wrappedKey.kek = kek
        self.wrappedKey.nonce = Data(plain[68..<80])
        self.wrappedKey.sealed = Data(plain[80..<128])
        self.key = try ObjectKey(plain[128...])
    }

    private static func number(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64 {
        bytes[offset..<offset + count].reduce(0) { $0 << 8 | UInt64($1) }
    }

    package init(
        bucket: BucketID, key: ObjectKey, write: CommandID, bodyBytes: Int, written: WallTime,
        wrappedKey: ProtoWrappedKey
    ) {
        self.bucket = bucket
        self.key = key
        self.write = write
        self.bodyBytes = bodyBytes
        self.written = written
        self.wrappedKey = wrappedKey
    }
}
