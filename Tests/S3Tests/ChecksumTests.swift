import Core
import S3
import Testing

@Suite struct ObjectChecksumTests {
    @Test(arguments: [ChecksumAlgorithm.crc32, .crc32c, .crc64nvme], 0..<20 as Range<UInt64>)
    func `the CRC of parts is the CRC of the whole`(algorithm: ChecksumAlgorithm, seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let parts = (0..<Int.random(in: 1...6, using: &random)).map { _ in
            (0..<Int.random(in: 0...3000, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
        }
        let sums = parts.map {
            (checksum: ChecksumHasher.of($0, algorithm), bytes: $0.count)
        }
        let whole = ChecksumHasher.of(parts.flatMap { $0 }, algorithm)
        #expect(ChecksumCombine.fullObject(sums) == whole, "seed \(seed)")
    }

    @Test func `hashes cannot be combined but hashed again`() {
        let parts = ["a", "b"].map { ChecksumHasher.of(Array($0.utf8), .sha256) }
        #expect(ChecksumCombine.fullObject(parts.map { (checksum: $0, bytes: 1) }) == nil)
        let sum = ChecksumCombine.composite(parts)
        #expect(sum.bytes == Digest.of(parts[0].bytes + parts[1].bytes, .sha256))
        #expect(sum.text.hasSuffix("=-2"))
        #expect(ChecksumValue(algorithm: .sha256, text: sum.text) == sum)
    }

    @Test func `known values`() {
        let check = Array("123456789".utf8)
        #expect(ChecksumHasher.of(check, .crc32).text == "y/Q5Jg==")
        #expect(ChecksumHasher.of(check, .crc32c).text == "4waSgw==")
        #expect(
            ChecksumHasher.of(check, .crc64nvme).bytes
                == UInt64(0xAE8B_1486_0A79_9888).bigEndianBytes)
        let empty = "d41d8cd98f00b204e9800998ecf8427e"
        let hash = Digest.of(Digest.of([], .md5) + Digest.of([], .md5), .md5)
        #expect(MultipartETag.of([empty, empty]) == "\(Hex.encode(hash))-2")
        #expect(MultipartETag.of(["x"]) == nil)
    }

    @Test(arguments: 0..<70) func `Base64 comes back`(count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        #expect(Base64.decode(Base64.encode(bytes)) == bytes)
    }

    @Test(arguments: ["a", "ab", "abc", "a===", "ab=c", "!!!!", "AB==AB==", "AA=A", "AB=="])
    func `Base64 that nobody writes is refused`(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    private func protection(
        _ headers: [(String, String)], payload: PayloadMode = .unsigned
    ) throws -> BodyProtection {
        try BodyProtection(S3Headers(headers), payload: payload)
    }

    @Test func `headers say how the body is protected`() throws {
        let plain = try protection([("Content-Length", "5")])
        #expect(plain.bytes == 5 && plain.algorithm == nil)
        let summed = try protection([
            ("Content-Length", "9"), ("x-amz-checksum-crc32", "y/Q5Jg=="),
            ("x-amz-sdk-checksum-algorithm", "CRC32"),
        ])
        #expect(summed.checksum?.text == "y/Q5Jg==")
        let trailing = try protection(
            [
                ("x-amz-decoded-content-length", "9"),
                ("x-amz-trailer", "x-amz-checksum-crc64nvme"),
                ("x-amz-sdk-checksum-algorithm", "CRC64NVME"),
            ], payload: .unsignedChunksWithTrailer)
        #expect(trailing.algorithm == .crc64nvme && trailing.checksum == nil)
        let value = Base64.encode(UInt64(0xAE8B_1486_0A79_9888).bigEndianBytes)
        let found = try trailing.checksum(in: S3Headers([("x-amz-checksum-crc64nvme", value)]))
        #expect(found?.text == value)
        #expect(code { _ = try trailing.checksum(in: S3Headers()) } == .malformedTrailer)
    }

    @Test func `contradictory protection is refused`() {
        let cases: [([(String, String)], S3ErrorCode)] = [
            ([("content-md5", "abc")], .invalidDigest),
            ([("content-md5", "YWJj")], .invalidDigest),
            ([("content-length", "-1")], .invalidArgument),
            ([("transfer-encoding", "chunked")], .missingContentLength),
            ([("x-amz-checksum-crc32", "xx")], .invalidRequest),
            (
                [("x-amz-checksum-crc32", "y/Q5Jg=="), ("x-amz-checksum-crc32c", "4waSgw==")],
                .invalidRequest
            ),
            ([("x-amz-sdk-checksum-algorithm", "CRC32")], .invalidRequest),
            ([("x-amz-sdk-checksum-algorithm", "MD4")], .invalidRequest),
            ([("x-amz-trailer", "x-amz-checksum-crc32")], .invalidRequest),
        ]
        for (headers, expected) in cases {
            #expect(code { _ = try protection(headers) } == expected, "\(headers)")
        }
    }
}
