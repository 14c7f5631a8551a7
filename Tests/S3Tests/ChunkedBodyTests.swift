import Core
import S3
import Testing

@Suite struct ChunkedBodyTests {
    private let payload = [UInt8](repeating: UInt8(ascii: "a"), count: 66560)

    private func signing(_ mode: String, trailer: String? = nil) -> (ChunkSigning, String) {
        var head = Example.head(
            "PUT", "/examplebucket/chunkObject.txt", host: "s3.amazonaws.com",
            [
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"), ("Content-Encoding", "aws-chunked"),
                ("x-amz-decoded-content-length", "66560"),
            ])
        if let trailer {
            head.headers.append("x-amz-trailer", trailer)
        } else {
            head.headers.append("content-length", "66824")
        }
        let signing = Example.signer.sign(&head, payload: mode, now: Example.now)
        return (signing, String(head.headers["authorization"]!.suffix(64)))
    }

    private func encode(
        _ mode: PayloadMode, _ signing: ChunkSigning, trailers: [(name: String, value: String)] = []
    ) -> [UInt8] {
        var encoder = ChunkedBodyEncoder(mode: mode, signing: signing)
        return encoder.chunk(Array(payload[..<65536])) + encoder.chunk(Array(payload[65536...]))
            + encoder.end(trailers: trailers)
    }

    private func decode(
        _ body: [UInt8], _ mode: PayloadMode, _ signing: ChunkSigning, bytes: Int = 66560,
        step: Int = 1 << 20
    ) throws -> (payload: [UInt8], trailers: S3Headers) {
        var decoder = BodyDecoder(payload: mode, signing: signing, bytes: bytes)
        var output: [UInt8] = []
        for start in stride(from: 0, to: body.count, by: step) {
            let piece = Array(body[start..<min(start + step, body.count)])
            var offset = 0
            try piece.withUnsafeBytes { piece in
                while let range = try decoder.next(piece, at: &offset) {
                    output += piece[range]
                }
            }
        }
        return (output, try decoder.finish())
    }

    @Test func `signs the chunks of the documentation's example`() throws {
        let (signing, seed) = signing("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        #expect(seed == "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")
        let body = encode(.signedChunks, signing)
        #expect(body.count == 66824)
        let text = String(decoding: body, as: UTF8.self)
        for signature in [
            "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ] { #expect(text.contains(signature)) }
    }

    @Test func `signs the trailer of the documentation's example`() throws {
        let mode = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
        let (signing, seed) = signing(mode, trailer: "x-amz-checksum-crc32c")
        #expect(seed == "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e")
        let body = encode(
            .signedChunksWithTrailer, signing,
            trailers: [(name: "x-amz-checksum-crc32c", value: "sOO8/Q==")])
        #expect(
            String(decoding: body, as: UTF8.self).contains(
                "x-amz-trailer-signature:"
                    + "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"))
        for step in [1, 7, 1000, 65537, 1 << 20] {
            let result = try decode(body, .signedChunksWithTrailer, signing, step: step)
            #expect(result.payload == payload)
            #expect(result.trailers["x-amz-checksum-crc32c"] == "sOO8/Q==")
        }
        #expect(ChecksumHasher.of(payload, .crc32c).text == "sOO8/Q==")
    }

    @Test func `a trailer by the letter of the specification is read too`() throws {
        let (signing, _) = signing("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", trailer: "x")
        let body = encode(
            .signedChunksWithTrailer, signing,
            trailers: [(name: "x-amz-checksum-crc32", value: "A")])
        let text = String(decoding: body, as: UTF8.self)
            .split(separator: "x-amz-checksum", maxSplits: 1).map(String.init)
        let literal =
            text[0] + "x-amz-checksum"
            + text[1].split(separator: "\r\n")
            .joined(separator: "\n\r\n") + "\n\r\n\r\n"
        _ = try decode(Array(literal.utf8), .signedChunksWithTrailer, signing)
    }

    @Test func `reads unsigned chunks with a trailer`() throws {
        let (signing, _) = signing("STREAMING-UNSIGNED-PAYLOAD-TRAILER", trailer: "x")
        let body = encode(
            .unsignedChunksWithTrailer, signing,
            trailers: [(name: "x-amz-checksum-crc32", value: "A")])
        let result = try decode(body, .unsignedChunksWithTrailer, signing, step: 3)
        #expect(result.payload == payload)
        #expect(result.trailers["x-amz-checksum-crc32"] == "A")
    }

    @Test func `every flipped bit and every cut is found`() throws {
        let (signing, _) = signing("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", trailer: "x")
        var encoder = ChunkedBodyEncoder(mode: .signedChunksWithTrailer, signing: signing)
        let body =
            encoder.chunk(Array("hello".utf8))
            + encoder.end(trailers: [(name: "x-amz-checksum-crc32", value: "NhCmhg==")])
        _ = try decode(body, .signedChunksWithTrailer, signing, bytes: 5)
        // The last two bytes are the line break that some clients leave out.
        for index in 0..<(body.count - 2) {
            var bad = body
            bad[index] ^= 1
            let result = code {
                _ = try decode(bad, .signedChunksWithTrailer, signing, bytes: 5)
            }
            // A carriage return is not signed; its loss changes no payload.
            if body[index] != UInt8(ascii: "\r") { #expect(result != nil, "byte \(index)") }
            let cut = Array(body[..<index])
            #expect(
                code { _ = try decode(cut, .signedChunksWithTrailer, signing, bytes: 5) } != nil,
                "cut at \(index)")
        }
    }

    @Test func `chunks may not hold more or less than was said`() throws {
        let (signing, _) = signing("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        let body = encode(.signedChunks, signing)
        for bytes in [0, 1, 66559, 66561] {
            #expect(
                code { _ = try decode(body, .signedChunks, signing, bytes: bytes) }
                    == .incompleteBody)
        }
    }

    @Test(arguments: ["zz\r\n", "-5\r\n", "fffffffffffffffff\r\n", "+5\r\nhello\r\n0\r\n\r\n"])
    func `garbage sizes are refused`(text: String) {
        let (signing, _) = signing("STREAMING-UNSIGNED-PAYLOAD-TRAILER", trailer: "x")
        let result = code {
            _ = try decode(Array(text.utf8), .unsignedChunksWithTrailer, signing, bytes: 5)
        }
        #expect(result == .incompleteBody)
    }

    @Test func `lines without an end do not grow`() {
        let (signing, _) = signing("STREAMING-UNSIGNED-PAYLOAD-TRAILER", trailer: "x")
        let line = [UInt8](repeating: UInt8(ascii: "0"), count: 100_000)
        #expect(
            code { _ = try decode(line, .unsignedChunksWithTrailer, signing) } == .invalidRequest)
        let trailer = Array("0\r\n".utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: 100_000)
        #expect(
            code { _ = try decode(trailer, .unsignedChunksWithTrailer, signing, bytes: 0) }
                == .malformedTrailer)
    }

    @Test func `a plain body is checked against its hash and length`() throws {
        let (signing, _) = signing("STREAMING-UNSIGNED-PAYLOAD-TRAILER", trailer: "x")
        let body = Array("hello".utf8)
        let hash = PayloadMode.sha256(Digest.of(body, .sha256))
        #expect(try decode(body, hash, signing, bytes: 5).payload == body)
        #expect(
            code { _ = try decode(Array("hellO".utf8), hash, signing, bytes: 5) }
                == .contentSHA256Mismatch)
        for bytes in [4, 6] {
            #expect(
                code { _ = try decode(body, .unsigned, signing, bytes: bytes) } == .incompleteBody)
        }
    }
}
