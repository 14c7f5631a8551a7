import NIOCore
import SwiftProtobuf

/// A byte buffer as protobuf wants it, so that messages are read from and written to the buffer
/// that travels, without an array in between.
private struct MessageBytes: SwiftProtobufContiguousBytes {
    var buffer: ByteBuffer

    init(buffer: ByteBuffer) { self.buffer = buffer }
    init(repeating byte: UInt8, count: Int) {
        buffer = ByteBuffer(repeating: byte, count: count)
    }
    init<S: Sequence>(_ sequence: S) where S.Element == UInt8 {
        buffer = ByteBuffer(bytes: sequence)
    }

    var count: Int { buffer.readableBytes }

    func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try buffer.withUnsafeReadableBytes(body)
    }

    mutating func withUnsafeMutableBytes<R>(
        _ body: (UnsafeMutableRawBufferPointer) throws -> R
    ) rethrows -> R {
        try buffer.withUnsafeMutableReadableBytes(body)
    }
}

extension ByteBuffer {
    /// The message's bytes.
    package init(message: some SwiftProtobuf.Message) {
        do {
            let bytes: MessageBytes = try message.serializedBytes()
            self = bytes.buffer
        } catch {
            // proto3 has no required fields, and generated strings are valid UTF-8.
            preconditionFailure("a proto3 message can be written: \(error)")
        }
    }

    /// - Returns: `nil` if the readable bytes are no such message.
    package func decoded<M: SwiftProtobuf.Message>(as type: M.Type = M.self) -> M? {
        try? M(serializedBytes: MessageBytes(buffer: self))
    }
}
