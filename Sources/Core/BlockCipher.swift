import CLibCrypto

/// AES-256-GCM (NIST SP 800-38D) over the caller's memory, through libcrypto.
///
/// One value serves one thread at a time: it keeps the key schedule, so that a block costs no
/// allocation.
package struct BlockCipher: ~Copyable, Sendable {
    package static let keyBytes = 32
    package static let nonceBytes = 12
    package static let tagBytes = 16

    // Owned by this value alone: created in `init`, freed in `deinit`.
    private nonisolated(unsafe) let context: OpaquePointer
    private let key: [UInt8]
    private var direction: Int32 = -1

    /// - Parameter key: 32 bytes.
    package init(key: [UInt8]) {
        precondition(key.count == Self.keyBytes)
        guard let context = EVP_CIPHER_CTX_new() else {
            preconditionFailure("libcrypto gives no cipher context: out of memory")
        }
        self.context = context
        self.key = key
    }

    deinit { EVP_CIPHER_CTX_free(context) }

    /// Seals `plain` into `output`, which may be the same memory: ciphertext, then the tag.
    ///
    /// - Parameters:
    ///   - nonce: 12 bytes, never used twice with one key.
    ///   - output: `plain.count` + 16 bytes.
    package mutating func seal(
        _ plain: UnsafeRawBufferPointer, nonce: [UInt8], authenticating data: [UInt8] = [],
        into output: UnsafeMutableRawBufferPointer
    ) {
        precondition(output.count == plain.count + Self.tagBytes)
        start(nonce: nonce, authenticating: data, encrypts: 1)
        var written: Int32 = 0
        let target = output.bindMemory(to: UInt8.self).baseAddress!
        var result: Int32 = 1
        if plain.count > 0 {
            result = EVP_CipherUpdate(
                context, target, &written, plain.bindMemory(to: UInt8.self).baseAddress,
                Int32(plain.count))
            precondition(result == 1 && Int(written) == plain.count, "GCM is a stream cipher")
        }
        result = EVP_CipherFinal_ex(context, target + plain.count, &written)
        precondition(result == 1, "sealing cannot fail on memory it is given")
        result = EVP_CIPHER_CTX_ctrl(
            context, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagBytes), target + plain.count)
        precondition(result == 1, "a sealed message has a tag")
    }

    /// Opens `sealed` (ciphertext, then the tag) into `output`, which may be the same memory.
    ///
    /// - Parameter output: `sealed.count` - 16 bytes.
    /// - Returns: `false` if the bytes, the nonce or the data are not those that were sealed;
    ///   `output` is then to be thrown away.
    package mutating func open(
        _ sealed: UnsafeRawBufferPointer, nonce: [UInt8], authenticating data: [UInt8] = [],
        into output: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard sealed.count >= Self.tagBytes else { return false }
        let count = sealed.count - Self.tagBytes
        precondition(output.count == count)
        start(nonce: nonce, authenticating: data, encrypts: 0)
        // The tag is set before the data: `output` may overlap `sealed`.
        var tag = [UInt8](sealed[count...])
        var result = EVP_CIPHER_CTX_ctrl(
            context, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagBytes), &tag)
        precondition(result == 1, "a tag of 16 bytes is always taken")
        var written: Int32 = 0
        if count > 0 {
            result = EVP_CipherUpdate(
                context, output.bindMemory(to: UInt8.self).baseAddress, &written,
                sealed.bindMemory(to: UInt8.self).baseAddress, Int32(count))
            guard result == 1 else { return false }
        }
        var scratch: (UInt64, UInt64) = (0, 0)
        return withUnsafeMutableBytes(of: &scratch) { scratch in
            EVP_CipherFinal_ex(
                context, scratch.bindMemory(to: UInt8.self).baseAddress, &written) == 1
        }
    }

    private mutating func start(nonce: [UInt8], authenticating data: [UInt8], encrypts: Int32) {
        precondition(nonce.count == Self.nonceBytes)
        // The key schedule is made once for each direction, then only the nonce changes.
        let result =
            direction == encrypts
            ? EVP_CipherInit_ex(context, nil, nil, nil, nonce, encrypts)
            : EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nil, key, nonce, encrypts)
        precondition(result == 1, "libcrypto has AES-256-GCM")
        direction = encrypts
        if !data.isEmpty {
            var written: Int32 = 0
            let result = EVP_CipherUpdate(context, nil, &written, data, Int32(data.count))
            precondition(result == 1, "authenticated data is always taken")
        }
    }

    package mutating func seal(
        _ plain: [UInt8], nonce: [UInt8], authenticating data: [UInt8] = []
    ) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: plain.count + Self.tagBytes)
        plain.withUnsafeBytes { plain in
            output.withUnsafeMutableBytes {
                seal(plain, nonce: nonce, authenticating: data, into: $0)
            }
        }
        return output
    }

    /// - Returns: `nil` if the bytes, the nonce or the data are not those that were sealed.
    package mutating func open(
        _ sealed: [UInt8], nonce: [UInt8], authenticating data: [UInt8] = []
    ) -> [UInt8]? {
        guard sealed.count >= Self.tagBytes else { return nil }
        var output = [UInt8](repeating: 0, count: sealed.count - Self.tagBytes)
        let isGenuine = sealed.withUnsafeBytes { sealed in
            output.withUnsafeMutableBytes {
                open(sealed, nonce: nonce, authenticating: data, into: $0)
            }
        }
        return isGenuine ? output : nil
    }
}
