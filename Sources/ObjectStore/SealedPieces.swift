import Core
import NIOCore

/// Sealed blocks out of pieces of any size: read where they are; only a block that lies across two
/// pieces is put together first.
struct SealedPieces {
    private var pieces: [ByteBuffer]
    private var index = 0

    init(_ pieces: [ByteBuffer]) { self.pieces = pieces }

    /// Opens the next block of `plainBytes` into `output`.
    ///
    /// - Returns: `nil` if not all of it came, `false` if it is not what was sealed.
    mutating func open(
        plainBytes: Int, block: Int, with cipher: inout BlockCipher, into output: inout ByteBuffer
    ) -> Bool? {
        let count = plainBytes + BlockCipher.tagBytes
        while index < pieces.count, pieces[index].readableBytes == 0 { index += 1 }
        guard index < pieces.count else { return nil }
        let nonce = blockNonce(block)
        if pieces[index].readableBytes >= count {
            let isGenuine = pieces[index].readWithUnsafeReadableBytes { bytes in
                let sealed = UnsafeRawBufferPointer(rebasing: bytes[..<count])
                return (count, Self.open(sealed, plainBytes, nonce, &cipher, &output))
            }
            return isGenuine
        }
        guard var whole = collect(count) else { return nil }
        return whole.readWithUnsafeReadableBytes { bytes in
            (count, Self.open(bytes, plainBytes, nonce, &cipher, &output))
        }
    }

    private mutating func collect(_ count: Int) -> ByteBuffer? {
        var whole = ByteBuffer()
        whole.reserveCapacity(count)
        while whole.readableBytes < count {
            guard index < pieces.count else { return nil }
            let taken = min(count - whole.readableBytes, pieces[index].readableBytes)
            if var slice = pieces[index].readSlice(length: taken) { whole.writeBuffer(&slice) }
            if pieces[index].readableBytes == 0 { index += 1 }
        }
        return whole
    }

    private static func open(
        _ sealed: UnsafeRawBufferPointer, _ plainBytes: Int, _ nonce: [UInt8],
        _ cipher: inout BlockCipher, _ output: inout ByteBuffer
    ) -> Bool {
        var isGenuine = false
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: plainBytes) { space in
            isGenuine = cipher.open(
                sealed, nonce: nonce,
                into: UnsafeMutableRawBufferPointer(rebasing: space[..<plainBytes]))
            if Mutation.isOn(.serveUnchecked) { isGenuine = true }
            return isGenuine ? plainBytes : 0
        }
        return isGenuine
    }
}
