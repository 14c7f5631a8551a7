import Messages
import NIOCore
import SwiftProtobuf

/// The conversation before a node has a certificate: ALPN `dst-join/1`, one message each way, each
/// behind its length (u32, big-endian).
enum EnrolmentChannel {
    static let alpn = "dst-join/1"

    static func write(_ message: some SwiftProtobuf.Message, to allocator: ByteBufferAllocator)
        -> ByteBuffer
    {
        let bytes = ByteBuffer(message: message)
        var buffer = allocator.buffer(capacity: bytes.readableBytes + 4)
        buffer.writeInteger(UInt32(bytes.readableBytes))
        buffer.writeImmutableBuffer(bytes)
        return buffer
    }
}

/// Cuts messages out of the stream.
struct EnrolmentDecoder: ByteToMessageDecoder {
    typealias InboundOut = ByteBuffer

    mutating func decode(
        context: ChannelHandlerContext, buffer: inout ByteBuffer
    ) throws -> DecodingState {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self) else {
            return .needMoreData
        }
        guard length <= WireLimits.enrolmentBytesMax else { throw EnrolmentError.malformed }
        guard buffer.readableBytes >= 4 + Int(length) else { return .needMoreData }
        buffer.moveReaderIndex(forwardBy: 4)
        guard let message = buffer.readSlice(length: Int(length)) else { return .needMoreData }
        context.fireChannelRead(wrapInboundOut(message))
        return .continue
    }

    mutating func decodeLast(
        context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
    ) throws -> DecodingState {
        try decode(context: context, buffer: &buffer)
    }
}

/// Why no reply came; the caller tries another coordinator, and again later.
package enum EnrolmentError: Error, Equatable, CustomStringConvertible {
    case unreachable(String)
    /// The coordinator is not the one that the token, or the old certificate, speaks of.
    case notTrusted(String)
    case malformed
    case noReply

    package var description: String {
        switch self {
        case .unreachable(let text): text
        case .notTrusted(let text): text
        case .malformed: "what was received is no message of the joining protocol"
        case .noReply: "the connection ended without a reply"
        }
    }
}
