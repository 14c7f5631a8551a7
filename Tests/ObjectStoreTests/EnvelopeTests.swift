import Core
import Foundation
import Messages
import Testing

@testable import ObjectStore

@Suite struct EnvelopeTests {
    private let first = [UInt8](repeating: 1, count: 32)
    private let second = [UInt8](repeating: 2, count: 32)

    @Test func `limits fit together`() { ObjectStoreLimits.check() }

    @Test func `what an older key sealed opens after a rotation`() throws {
        let dataKey = pattern(32)
        let wrapped = KeyRing(current: first).wrap(dataKey, random: World.seeded(1))
        #expect(wrapped.sealed.count == 48)
        let opened = try KeyRing(current: second, older: [first]).unwrap(wrapped)
        #expect(opened == dataKey)
    }

    @Test func `an unknown key and a changed record are told apart from good ones`() {
        var wrapped = KeyRing(current: first).wrap(pattern(32), random: World.seeded(1))
        #expect(throws: ObjectStoreError.self) { try KeyRing(current: second).unwrap(wrapped) }
        wrapped.sealed[3] ^= 1
        #expect(throws: ObjectStoreError.damaged("a wrapped data key does not open")) {
            try KeyRing(current: first).unwrap(wrapped)
        }
    }

    @Test func `a ring that misses a key says which to operators`() throws {
        let wrapped = KeyRing(current: first).wrap(pattern(32), random: World.seeded(1))
        let ring = KeyRing(current: second)
        #expect(ring.problem == nil)
        #expect(throws: ObjectStoreError.self) { try ring.unwrap(wrapped) }
        let name = Hex.encode(KeyRing.identifier(of: first).bigEndianBytes)
        let problem = try #require(ring.problem)
        #expect(problem.contains(name))
    }

    @Test func `the key's name is what the format says`() {
        let digest = Digest.of(first, .sha256)
        #expect(KeyRing.identifier(of: first).bigEndianBytes == Array(digest.prefix(8)))
    }

    @Test func `block numbers make nonces`() {
        #expect(blockNonce(0) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        #expect(blockNonce(0x0102_0304) == [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])
        #expect(blocksPerChunk == 128)
    }

    private func record(_ ring: KeyRing) throws -> OwnerRecord {
        var record = OwnerRecord(
            bucket: BucketID(rawValue: 0x0102), key: try ObjectKey("ä/b"),
            write: CommandID(high: 3, low: 4), bodyBytes: 20 << 20,
            written: WallTime(milliseconds: 1_700_000_000_123),
            wrappedKey: ring.wrap(pattern(32), random: World.seeded(2)))
        record.upload = UploadID(high: 5, low: 6)
        record.part = 7
        record.chunk = 2
        record.chunkBytes = 4 << 20
        return record
    }

    @Test func `an owner record comes back as it was`() throws {
        let ring = KeyRing(current: first)
        let record = try record(ring)
        let sealed = record.sealed(by: ring, random: World.seeded(3))
        #expect(sealed.count == 21 + 128 + 4 + 16)
        #expect(sealed[0] == 1)
        let opened = try OwnerRecord(opening: sealed, by: KeyRing(current: second, older: [first]))
        #expect(opened == record)
    }

    @Test func `an owner record of fewer bytes than none is damaged`() throws {
        let ring = KeyRing(current: first)
        let nonce = [UInt8](repeating: 0, count: BlockCipher.nonceBytes)
        let header = [OwnerRecord.version] + ring.current.bigEndianBytes + nonce
        var cipher = BlockCipher(key: try #require(ring.ownerKey(ring.current)))
        var plain = [UInt8](repeating: 0, count: OwnerRecord.fixedBytes) + Array("key".utf8)
        plain[52] = 0x80
        let record = header + cipher.seal(plain, nonce: nonce, authenticating: header)
        #expect(throws: ObjectStoreError.damaged("an owner record does not open")) {
            try OwnerRecord(opening: record, by: ring)
        }
    }

    @Test func `an owner record that was changed, or of another version, is refused`() throws {
        let ring = KeyRing(current: first)
        let sealed = try record(ring).sealed(by: ring, random: World.seeded(3))
        for index in sealed.indices {
            var changed = sealed
            changed[index] ^= 1
            #expect(throws: ObjectStoreError.self, "byte \(index)") {
                try OwnerRecord(opening: changed, by: ring)
            }
        }
        #expect(throws: ObjectStoreError.damaged("an owner record of 5 bytes")) {
            try OwnerRecord(opening: Array(sealed.prefix(5)), by: ring)
        }
    }

    /// The layout in the page, byte for byte.
    @Test func `the owner record's golden bytes`() throws {
        let ring = KeyRing(current: first)
        let sealed = try record(ring).sealed(by: ring, random: World.seeded(3))
        let digest = Digest.of(sealed, .sha256)
        let ownerKey = HMACSHA256.derive(from: first, info: "dstorage owner record v1")
        var cipher = BlockCipher(key: ownerKey)
        let plain = cipher.open(
            Array(sealed[21...]), nonce: Array(sealed[9..<21]),
            authenticating: Array(sealed[..<21]))
        let text = Hex.encode(try #require(plain))
        let expected =
            "0000000000000102" + "00000000000000030000000000000004"
            + "00000000000000050000000000000006" + "00000007" + "00000002" + "00400000"
            + "0000000001400000" + "0000018bcfe5687b"
        #expect(text.hasPrefix(expected))
        #expect(text.hasSuffix("c3a42f62"))
        #expect(digest.count == 32)
    }
}
