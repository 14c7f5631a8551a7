import CLibCrypto

/// A running cryptographic digest over libcrypto, in place on the caller's memory.
///
/// libcrypto rather than swift-crypto, because it uses the SHA and AES instructions without a copy
/// per call; everything that hashes goes through here, so that it can be exchanged in one place.
package struct Digest: ~Copyable, Sendable {
    package enum Algorithm: Sendable {
        case md5, sha1, sha256

        package var byteCount: Int {
            switch self {
            case .md5: 16
            case .sha1: 20
            case .sha256: 32
            }
        }

        fileprivate var implementation: OpaquePointer {
            switch self {
            case .md5: EVP_md5()
            case .sha1: EVP_sha1()
            case .sha256: EVP_sha256()
            }
        }
    }

    // Owned by this value alone: created in `init`, freed in `deinit`.
    private nonisolated(unsafe) let context: OpaquePointer
    private let algorithm: Algorithm

    package init(_ algorithm: Algorithm) {
        guard let context = EVP_MD_CTX_new(),
            EVP_DigestInit_ex(context, algorithm.implementation, nil) == 1
        else {
            preconditionFailure("libcrypto has no \(algorithm): out of memory, or a FIPS build")
        }
        self.context = context
        self.algorithm = algorithm
    }

    deinit { EVP_MD_CTX_free(context) }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        let result = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        precondition(result == 1, "libcrypto's digest update does not fail on a live context")
    }

    package mutating func update(_ bytes: some Collection<UInt8>) {
        let isContiguous: Void? = bytes.withContiguousStorageIfAvailable {
            update(UnsafeRawBufferPointer($0))
        }
        if isContiguous == nil { Array(bytes).withUnsafeBytes { update($0) } }
    }

    /// Ends the digest; `algorithm.byteCount` bytes.
    package consuming func finish() -> [UInt8] {
        let byteCount = algorithm.byteCount
        let context = self.context
        return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            let result = EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
            precondition(result == 1, "libcrypto's digest final does not fail on a live context")
            count = byteCount
        }
    }

    package static func of(_ bytes: some Collection<UInt8>, _ algorithm: Algorithm) -> [UInt8] {
        var digest = Digest(algorithm)
        digest.update(bytes)
        return digest.finish()
    }
}

/// HMAC-SHA256 (RFC 2104) and HKDF-SHA256 (RFC 5869).
package enum HMACSHA256 {
    /// - Returns: 32 bytes.
    package static func of(_ bytes: some Collection<UInt8>, key: [UInt8]) -> [UInt8] {
        let message = Array(bytes)
        return [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
            var length: UInt32 = 32
            let result = HMAC(
                EVP_sha256(), key, Int32(key.count), message, message.count, buffer.baseAddress,
                &length)
            precondition(result != nil, "libcrypto's HMAC does not fail on memory it is given")
            count = Int(length)
        }
    }

    /// A key of `byteCount` bytes bound to `info`.
    ///
    /// - Parameter byteCount: 1...8,160 (RFC 5869 section 2.3).
    package static func derive(
        from secret: [UInt8], salt: [UInt8] = [], info: String, byteCount: Int = 32
    ) -> [UInt8] {
        precondition(byteCount > 0 && byteCount <= 255 * 32)
        let key = of(secret, key: salt.isEmpty ? [UInt8](repeating: 0, count: 32) : salt)
        var output: [UInt8] = []
        var block: [UInt8] = []
        var counter: UInt8 = 1
        while output.count < byteCount {
            block = of(block + Array(info.utf8) + [counter], key: key)
            output += block
            counter &+= 1
        }
        return Array(output.prefix(byteCount))
    }
}

/// Compares secrets without telling by time where they differ.
package func isEqualInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in left.indices { difference |= left[index] ^ right[index] }
    return difference == 0
}
