import Core

/// Takes the framing off an aws-chunked body, piece by piece, without copying the payload: it
/// answers which bytes of a piece are payload.
///
/// ```
/// 10000;chunk-signature=ad80…\r\n   65,536 bytes of payload   \r\n
/// 0;chunk-signature=b6c6…\r\n
/// x-amz-checksum-crc32c:sOO8/Q==\r\n          with a trailer
/// x-amz-trailer-signature:d81f…\r\n           with a signed trailer
/// \r\n
/// ```
///
/// Source: Amazon S3 API Reference, "Signature calculations for the authorization header:
/// transferring payload in multiple chunks" and "… with trailing headers".
package struct ChunkedBodyDecoder: ~Copyable {
    private enum State: Equatable {
        case chunkLine
        case payload(Int)
        /// The line break after the payload.
        case payloadEnd
        case trailer
        case done
    }

    private var state = State.chunkLine
    private let mode: PayloadMode
    private let signing: ChunkSigning
    private let decodedBytes: Int
    private var receivedBytes = 0
    /// Begun and not ended; at most ``S3Limits/chunkLineBytesMax``.
    private var line: [UInt8] = []
    private var trailerBytes = 0
    private var digest: Digest?
    private var previousSignature: String
    private var chunkSignature: [UInt8] = []
    private var isTrailerSigned = false
    /// `name:value\n` of every trailer: what its signature is over.
    private var canonicalTrailer: [UInt8] = []
    private var trailers = S3Headers()

    /// - Parameters:
    ///   - mode: One for which ``PayloadMode/isChunked`` is true.
    ///   - decodedBytes: `x-amz-decoded-content-length`.
    package init(mode: PayloadMode, signing: ChunkSigning, decodedBytes: Int) {
        precondition(mode.isChunked && decodedBytes >= 0)
        self.mode = mode
        self.signing = signing
        self.decodedBytes = decodedBytes
        self.previousSignature = signing.seed
        if mode != .unsignedChunksWithTrailer { digest = Digest(.sha256) }
    }

    private var isSigned: Bool { mode != .unsignedChunksWithTrailer }
    private var hasTrailer: Bool { mode != .signedChunks }

    /// Reads on in `piece` from `offset`, which moves behind what was taken.
    ///
    /// - Returns: The next payload in `piece`, not empty; `nil` when the piece is used up.
    package mutating func next(
        _ piece: UnsafeRawBufferPointer, at offset: inout Int
    ) throws(S3Error) -> Range<Int>? {
        while offset < piece.count {
            if case .payload(let left) = state {
                let range = offset..<(offset + min(left, piece.count - offset))
                offset = range.upperBound
                receivedBytes += range.count
                digest?.update(UnsafeRawBufferPointer(rebasing: piece[range]))
                state = left == range.count ? .payloadEnd : .payload(left - range.count)
                return range
            }
            try takeLine(piece, at: &offset)
        }
        return nil
    }

    private mutating func takeLine(
        _ piece: UnsafeRawBufferPointer, at offset: inout Int
    ) throws(S3Error) {
        while offset < piece.count {
            let byte = piece[offset]
            offset += 1
            if byte == UInt8(ascii: "\n") {
                if line.last == UInt8(ascii: "\r") { line.removeLast() }
                try endLine()
                line.removeAll(keepingCapacity: true)
                return
            }
            line.append(byte)
            guard line.count <= S3Limits.chunkLineBytesMax else {
                throw state == .trailer
                    ? S3Error(.malformedTrailer)
                    : S3Error(.invalidRequest, "The header of a chunk is too long.")
            }
        }
    }

    private mutating func endLine() throws(S3Error) {
        switch state {
        case .chunkLine: try beginChunk()
        case .payloadEnd:
            guard line.isEmpty else {
                throw S3Error(.incompleteBody, "A chunk is longer than its header says.")
            }
            try checkChunk()
            state = .chunkLine
        case .trailer: try takeTrailer()
        case .done: try takeRest()
        case .payload: preconditionFailure("no line is read in this state")
        }
    }

    private mutating func beginChunk() throws(S3Error) {
        let mark = line.firstIndex(of: UInt8(ascii: ";")) ?? line.endIndex
        guard let bytes = Self.size(line[..<mark]), bytes <= decodedBytes - receivedBytes else {
            throw S3Error(.incompleteBody, "The size of a chunk is not valid.")
        }
        if isSigned {
            let prefix = Array(";chunk-signature=".utf8)
            guard line[mark...].starts(with: prefix), line.count == mark + prefix.count + 64 else {
                throw S3Error(.signatureDoesNotMatch, "A chunk carries no signature.")
            }
            chunkSignature = Array(line[(mark + prefix.count)...])
        }
        if bytes > 0 {
            state = .payload(bytes)
        } else {
            try checkChunk()
            state = .trailer
        }
    }

    private static func size(_ digits: ArraySlice<UInt8>) -> Int? {
        // A sign, which `Int` would take, is not part of a size.
        guard (1...15).contains(digits.count), digits.first != UInt8(ascii: "+"),
            digits.first != UInt8(ascii: "-")
        else { return nil }
        return Int(String(decoding: digits, as: UTF8.self), radix: 16)
    }

    /// The signature of the chunk that just ended, over the one before and the payload.
    private mutating func checkChunk() throws(S3Error) {
        guard isSigned else { return }
        let hash = (digest.take() ?? Digest(.sha256)).finish()
        digest = Digest(.sha256)
        try check(
            chunkSignature, title: "AWS4-HMAC-SHA256-PAYLOAD",
            parts: [Self.emptyHash, Hex.encode(hash)])
    }

    private mutating func check(
        _ signature: [UInt8], title: String, parts: [String]
    ) throws(S3Error) {
        let lines = [title, signing.timestamp, signing.scope.text, previousSignature] + parts
        let text = Array(lines.joined(separator: "\n").utf8)
        let expected = signing.key.signature(of: text)
        guard isEqualInConstantTime(signature, Array(expected.utf8)) else {
            throw S3Error(.signatureDoesNotMatch)
        }
        previousSignature = expected
    }

    private static let emptyHash = Hex.encode(Digest.of([], .sha256))

    private mutating func takeTrailer() throws(S3Error) {
        if line.isEmpty {
            // Written by the letter of the specification, a line of the trailer ends in \n\r\n.
            let isMore = mode == .signedChunksWithTrailer && !isTrailerSigned
            state = isMore ? .trailer : .done
            return try takeRest()
        }
        trailerBytes += line.count
        guard hasTrailer, !isTrailerSigned, trailerBytes <= S3Limits.trailerBytesMax,
            let mark = line.firstIndex(of: UInt8(ascii: ":")),
            let name = String(validating: line[..<mark], as: UTF8.self)?.lowercased(),
            let text = String(validating: line[(mark + 1)...], as: UTF8.self)
        else { throw S3Error(.malformedTrailer) }
        let value = text.trimmingSpaces
        if name == "x-amz-trailer-signature" {
            guard mode == .signedChunksWithTrailer else { throw S3Error(.malformedTrailer) }
            let hash = Hex.encode(Digest.of(canonicalTrailer, .sha256))
            try check(Array(value.utf8), title: "AWS4-HMAC-SHA256-TRAILER", parts: [hash])
            isTrailerSigned = true
        } else {
            trailers.append(name, value)
            canonicalTrailer.append(contentsOf: "\(name):\(value)\n".utf8)
        }
    }

    /// A few empty lines may follow, and nothing else.
    private mutating func takeRest() throws(S3Error) {
        trailerBytes += 2
        guard line.isEmpty, trailerBytes <= S3Limits.trailerBytesMax else {
            throw S3Error(.incompleteBody, "There are bytes after the last chunk.")
        }
    }

    /// The body is at its end.
    ///
    /// - Returns: The trailers.
    /// - Throws: `IncompleteBody` if it may not end here.
    package mutating func finish() throws(S3Error) -> S3Headers {
        // Some clients leave out the very last line break.
        let isEnded = (state == .done || state == .trailer) && line.isEmpty
        guard isEnded, receivedBytes == decodedBytes else { throw S3Error(.incompleteBody) }
        guard mode != .signedChunksWithTrailer || isTrailerSigned else {
            throw S3Error(.signatureDoesNotMatch, "The trailer carries no signature.")
        }
        return trailers
    }
}

extension String {
    /// Without spaces and tabs at both ends.
    var trimmingSpaces: String {
        func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == 9 }
        var rest = Substring(self).utf8
        while let byte = rest.first, isSpace(byte) { rest.removeFirst() }
        while let byte = rest.last, isSpace(byte) { rest.removeLast() }
        return String(Substring(rest))
    }
}
