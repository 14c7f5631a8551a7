import Core
import Testing

@Suite struct CipherTests {
    private let key = [UInt8](0..<32)
    private let nonce = [UInt8](repeating: 7, count: 12)

    @Test func `the GCM specification's test case 16`() throws {
        let key = try #require(
            Hex.decode("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"))
        let nonce = try #require(Hex.decode("cafebabefacedbaddecaf888"))
        let plain = try #require(
            Hex.decode(
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                    + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"))
        let data = try #require(Hex.decode("feedfacedeadbeeffeedfacedeadbeefabaddad2"))
        var cipher = BlockCipher(key: key)
        let sealed = cipher.seal(plain, nonce: nonce, authenticating: data)
        #expect(
            Hex.encode(sealed)
                == "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                + "76fc6ece0f4e1768cddf8853bb2d551b")
        let opened = cipher.open(sealed, nonce: nonce, authenticating: data)
        #expect(opened == plain)
    }

    @Test(arguments: [0, 1, 15, 16, 17, 65536])
    func `opens what it sealed, and nothing else`(count: Int) {
        let plain = [UInt8](repeating: 3, count: count)
        var cipher = BlockCipher(key: key)
        var sealed = cipher.seal(plain, nonce: nonce)
        let opened = cipher.open(sealed, nonce: nonce)
        #expect(opened == plain)
        let otherNonce = cipher.open(sealed, nonce: [UInt8](repeating: 8, count: 12))
        #expect(otherNonce == nil)
        let otherData = cipher.open(sealed, nonce: nonce, authenticating: [1])
        #expect(otherData == nil)
        sealed[count / 2] ^= 1
        let changed = cipher.open(sealed, nonce: nonce)
        #expect(changed == nil)
        let short = cipher.open([1, 2, 3], nonce: nonce)
        #expect(short == nil)
    }

    @Test func `works in place`() {
        var cipher = BlockCipher(key: key)
        var bytes = Array("in place".utf8) + [UInt8](repeating: 0, count: 16)
        let expected = cipher.seal(Array("in place".utf8), nonce: nonce)
        bytes.withUnsafeMutableBytes {
            cipher.seal(UnsafeRawBufferPointer(rebasing: $0[..<8]), nonce: nonce, into: $0)
        }
        #expect(bytes == expected)
        let isGenuine = bytes.withUnsafeMutableBytes {
            cipher.open(
                UnsafeRawBufferPointer($0), nonce: nonce,
                into: UnsafeMutableRawBufferPointer(rebasing: $0[..<8]))
        }
        #expect(isGenuine)
        #expect(Array(bytes[..<8]) == Array("in place".utf8))
    }

    @Test func `digests of the standards' examples`() {
        let abc = Array("abc".utf8)
        #expect(Hex.encode(Digest.of(abc, .md5)) == "900150983cd24fb0d6963f7d28e17f72")
        #expect(Hex.encode(Digest.of(abc, .sha1)) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(
            Hex.encode(Digest.of(abc, .sha256))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }

    @Test func `HKDF, RFC 5869 test case 1, and HMAC, RFC 4231 test case 2`() throws {
        let mac = HMACSHA256.of(
            Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8))
        #expect(
            Hex.encode(mac) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        let derived = HMACSHA256.derive(
            from: [UInt8](repeating: 0x0b, count: 22), info: "", byteCount: 42)
        #expect(
            Hex.encode(derived)
                == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                + "9d201395faa4b61a96c8")
    }
}
