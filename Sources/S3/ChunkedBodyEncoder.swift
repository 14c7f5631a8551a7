import Core

/// Frames a body as aws-chunked, as a client does: for tests and `dstnode bench`.
package struct ChunkedBodyEncoder {
    private let mode: PayloadMode
    private let signing: ChunkSigning
    private var previousSignature: String

    package init(mode: PayloadMode, signing: ChunkSigning) {
        precondition(mode.isChunked)
        self.mode = mode
        self.signing = signing
        self.previousSignature = signing.seed
    }

    /// - Parameter payload: Empty for the last chunk, which ``end(trailers:)`` writes.
    package mutating func chunk(_ payload: [UInt8]) -> [UInt8] {
        var output = header(payload)
        output += payload
        if !payload.isEmpty { output += Array("\r\n".utf8) }
        return output
    }

    package mutating func end(trailers: [(name: String, value: String)] = []) -> [UInt8] {
        var output = chunk([])
        var canonical: [UInt8] = []
        for trailer in trailers {
            output += Array("\(trailer.name):\(trailer.value)\r\n".utf8)
            canonical += Array("\(trailer.name):\(trailer.value)\n".utf8)
        }
        if mode == .signedChunksWithTrailer {
            let hash = Hex.encode(Digest.of(canonical, .sha256))
            let signature = sign(title: "AWS4-HMAC-SHA256-TRAILER", parts: [hash])
            output += Array("x-amz-trailer-signature:\(signature)\r\n".utf8)
        }
        return output + Array("\r\n".utf8)
    }

    private mutating func header(_ payload: [UInt8]) -> [UInt8] {
        let size = String(payload.count, radix: 16)
        guard mode != .unsignedChunksWithTrailer else { return Array("\(size)\r\n".utf8) }
        let signature = sign(
            title: "AWS4-HMAC-SHA256-PAYLOAD",
            parts: [Hex.encode(Digest.of([], .sha256)), Hex.encode(Digest.of(payload, .sha256))])
        return Array("\(size);chunk-signature=\(signature)\r\n".utf8)
    }

    private mutating func sign(title: String, parts: [String]) -> String {
        let lines = [title, signing.timestamp, signing.scope.text, previousSignature] + parts
        previousSignature = signing.key.signature(of: Array(lines.joined(separator: "\n").utf8))
        return previousSignature
    }
}
