import Core

/// What the headers promise about the body: its size, its digests, or that a trailer will name
/// them.
package struct BodyProtection: Sendable {
    /// Payload bytes, framing not counted.
    package let bytes: Int
    /// `Content-MD5`: 16 bytes.
    package let md5: [UInt8]?
    /// To be computed and kept with the object.
    package let algorithm: ChecksumAlgorithm?
    /// From the header; one in the trailer comes later.
    package let checksum: ChecksumValue?
    /// The name of the header that the trailer will bring.
    package let trailerName: String?

    package init(_ headers: S3Headers, payload: PayloadMode) throws(S3Error) {
        bytes = try Self.bytes(headers, payload: payload)
        md5 = try Self.md5(headers)
        var checksum: ChecksumValue?
        for field in headers {
            guard let algorithm = ChecksumAlgorithm(headerName: field.name) else { continue }
            guard checksum == nil else {
                throw S3Error(
                    .invalidRequest,
                    "Expecting a single x-amz-checksum- header. Multiple checksum Types are not "
                        + "allowed.")
            }
            checksum = ChecksumValue(algorithm: algorithm, text: field.value)
            guard checksum != nil else { throw Self.invalid(field.name) }
        }
        self.checksum = checksum
        trailerName = try Self.trailer(headers, payload: payload)
        let trailing = trailerName.flatMap { ChecksumAlgorithm(headerName: $0) }
        if checksum != nil && trailing != nil {
            throw S3Error(
                .invalidRequest,
                "Expecting a single x-amz-checksum- header or trailer, not both.")
        }
        algorithm = checksum?.algorithm ?? trailing
        guard let declared = headers["x-amz-sdk-checksum-algorithm"] else { return }
        guard let declared = ChecksumAlgorithm(rawValue: declared.uppercased()) else {
            throw S3Error(
                .invalidRequest,
                "Checksum algorithm provided is unsupported. Please try again with any of the "
                    + "valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
        }
        guard declared == algorithm else {
            throw S3Error(
                .invalidRequest,
                "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
                    + "x-amz-trailer headers were found.")
        }
    }

    private static func invalid(_ name: String) -> S3Error {
        S3Error(.invalidRequest, "Value for \(name) header is invalid.")
    }

    private static func bytes(
        _ headers: S3Headers, payload: PayloadMode
    ) throws(S3Error) -> Int {
        let name = payload.isChunked ? "x-amz-decoded-content-length" : "content-length"
        guard let text = headers[name] else {
            // A request without a body need not say so; one with a body of unknown size may not.
            if !payload.isChunked && !headers.has("transfer-encoding") { return 0 }
            throw S3Error(.missingContentLength)
        }
        guard let bytes = Int(text), bytes >= 0 else {
            throw .invalidArgument(name, text, "\(name) is not a number of bytes.")
        }
        return bytes
    }

    private static func md5(_ headers: S3Headers) throws(S3Error) -> [UInt8]? {
        guard let text = headers["content-md5"] else { return nil }
        guard let bytes = Base64.decode(text), bytes.count == 16 else {
            throw S3Error(.invalidDigest, "The Content-MD5 you specified was invalid.")
        }
        return bytes
    }

    private static func trailer(
        _ headers: S3Headers, payload: PayloadMode
    ) throws(S3Error) -> String? {
        guard let text = headers["x-amz-trailer"] else { return nil }
        let name = text.lowercased().trimmingSpaces
        guard ChecksumAlgorithm(headerName: name) != nil,
            payload == .signedChunksWithTrailer || payload == .unsignedChunksWithTrailer
        else {
            throw S3Error(
                .invalidRequest, "The value specified in the x-amz-trailer header is not supported")
        }
        return name
    }

    /// What the trailer says, once the body is read.
    ///
    /// - Throws: `MalformedTrailerError` unless it holds just what was announced.
    package func checksum(in trailers: S3Headers) throws(S3Error) -> ChecksumValue? {
        guard let trailerName else {
            guard trailers.fields.isEmpty else { throw S3Error(.malformedTrailer) }
            return checksum
        }
        guard trailers.fields.count == 1, let text = trailers[trailerName],
            let algorithm = ChecksumAlgorithm(headerName: trailerName)
        else { throw S3Error(.malformedTrailer) }
        guard let value = ChecksumValue(algorithm: algorithm, text: text) else {
            throw S3Error(.invalidRequest, "Value for \(trailerName) trailing header is invalid.")
        }
        return value
    }
}

/// Reads a request's body: takes the framing off, checks length, hash and signatures. What it
/// has let pass is only proven once ``finish()`` has returned.
package struct BodyDecoder: ~Copyable {
    private var chunked: ChunkedBodyDecoder?
    private var digest: Digest?
    private let expectedHash: [UInt8]
    private let bytes: Int
    private var receivedBytes = 0

    package init(payload: PayloadMode, signing: ChunkSigning, bytes: Int) {
        self.bytes = bytes
        expectedHash = if case .sha256(let hash) = payload { hash } else { [] }
        if payload.isChunked {
            chunked = ChunkedBodyDecoder(mode: payload, signing: signing, decodedBytes: bytes)
        } else if !expectedHash.isEmpty {
            digest = Digest(.sha256)
        }
    }

    /// - Returns: The next payload in `piece` from `offset` on, not empty; `nil` when the piece is
    ///   used up. `offset` moves behind what was taken.
    package mutating func next(
        _ piece: UnsafeRawBufferPointer, at offset: inout Int
    ) throws(S3Error) -> Range<Int>? {
        if let range = try chunked?.next(piece, at: &offset) { return range }
        guard offset < piece.count else { return nil }
        let range = offset..<piece.count
        receivedBytes += range.count
        guard receivedBytes <= bytes else { throw S3Error(.incompleteBody) }
        digest?.update(UnsafeRawBufferPointer(rebasing: piece[range]))
        offset = piece.count
        return range
    }

    /// - Returns: The trailers.
    package mutating func finish() throws(S3Error) -> S3Headers {
        if let trailers = try chunked?.finish() { return trailers }
        guard receivedBytes == bytes else { throw S3Error(.incompleteBody) }
        if let digest = digest.take() {
            let hash = digest.finish()
            guard isEqualInConstantTime(hash, expectedHash) else {
                throw S3Error(
                    .contentSHA256Mismatch,
                    details: [
                        ("ClientComputedContentSHA256", Hex.encode(expectedHash)),
                        ("S3ComputedContentSHA256", Hex.encode(hash)),
                    ])
            }
        }
        return S3Headers()
    }
}
