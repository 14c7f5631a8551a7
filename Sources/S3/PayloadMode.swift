import Core

/// How the body of a request is protected: the value of `x-amz-content-sha256`.
package enum PayloadMode: Equatable, Sendable {
    /// Not at all, beyond its length.
    case unsigned
    /// By its SHA-256: 32 bytes.
    case sha256([UInt8])
    /// aws-chunked, each chunk signed.
    case signedChunks
    /// aws-chunked, each chunk and the trailer signed.
    case signedChunksWithTrailer
    /// aws-chunked, with a trailer, nothing signed.
    case unsignedChunksWithTrailer

    package static let unsignedText = "UNSIGNED-PAYLOAD"

    package init(_ text: String) throws(S3Error) {
        switch text {
        case Self.unsignedText: self = .unsigned
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": self = .signedChunks
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": self = .signedChunksWithTrailer
        case "STREAMING-UNSIGNED-PAYLOAD-TRAILER": self = .unsignedChunksWithTrailer
        default:
            if text.hasPrefix("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD") {
                throw .notImplemented("x-amz-content-sha256: \(text)")
            }
            guard text.utf8.count == 64, let bytes = Hex.decode(text) else {
                throw .invalidArgument(
                    "x-amz-content-sha256", text,
                    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
                        + "STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
                        + "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, or a valid sha256 value.")
            }
            self = .sha256(bytes)
        }
    }

    /// The body is framed as aws-chunked.
    package var isChunked: Bool {
        switch self {
        case .unsigned, .sha256: false
        case .signedChunks, .signedChunksWithTrailer, .unsignedChunksWithTrailer: true
        }
    }
}
