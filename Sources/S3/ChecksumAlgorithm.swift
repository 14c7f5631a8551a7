import Core

/// The checksums that S3 keeps with an object.
package enum ChecksumAlgorithm: String, Sendable, CaseIterable {
    case crc32 = "CRC32"
    case crc32c = "CRC32C"
    case crc64nvme = "CRC64NVME"
    case sha1 = "SHA1"
    case sha256 = "SHA256"

    package var byteCount: Int {
        switch self {
        case .crc32, .crc32c: 4
        case .crc64nvme: 8
        case .sha1: 20
        case .sha256: 32
        }
    }

    /// `x-amz-checksum-crc32`; also the name of the element in documents, in other case.
    package var headerName: String {
        switch self {
        case .crc32: "x-amz-checksum-crc32"
        case .crc32c: "x-amz-checksum-crc32c"
        case .crc64nvme: "x-amz-checksum-crc64nvme"
        case .sha1: "x-amz-checksum-sha1"
        case .sha256: "x-amz-checksum-sha256"
        }
    }

    /// `ChecksumCRC32`
    package var elementName: String { "Checksum\(rawValue)" }

    package init?(headerName: String) {
        guard let algorithm = Self.allCases.first(where: { $0.headerName == headerName }) else {
            return nil
        }
        self = algorithm
    }

    /// Whether an upload in parts has a checksum of checksums, unless the client says otherwise
    /// ("Checking object integrity", Amazon S3 User Guide).
    package var isCompositeByDefault: Bool { self != .crc64nvme }

    /// Whether an upload in parts may have this type of checksum.
    package func allows(composite: Bool) -> Bool {
        switch self {
        case .crc32, .crc32c: true
        case .crc64nvme: !composite
        case .sha1, .sha256: composite
        }
    }
}

/// A checksum of an object or a part.
package struct ChecksumValue: Hashable, Sendable {
    package let algorithm: ChecksumAlgorithm
    /// As the algorithm gives it, numbers big-endian; `algorithm.byteCount` bytes.
    package let bytes: [UInt8]
    /// Over the checksums of this many parts; 0: over the bytes.
    package let compositePartCount: Int

    package init(algorithm: ChecksumAlgorithm, bytes: [UInt8], compositePartCount: Int = 0) {
        precondition(bytes.count == algorithm.byteCount)
        self.algorithm = algorithm
        self.bytes = bytes
        self.compositePartCount = compositePartCount
    }

    package var isComposite: Bool { compositePartCount > 0 }

    /// `x-amz-checksum-type`
    package var typeName: String { isComposite ? "COMPOSITE" : "FULL_OBJECT" }

    /// As in headers and documents: Base64, and `-N` for a checksum of N checksums.
    package var text: String {
        let text = Base64.encode(bytes)
        return isComposite ? "\(text)-\(compositePartCount)" : text
    }

    /// - Returns: `nil` for anything but Base64 of the right number of bytes (and perhaps `-N`).
    package init?(algorithm: ChecksumAlgorithm, text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count <= 2, let bytes = Base64.decode(String(parts[0])),
            bytes.count == algorithm.byteCount
        else { return nil }
        var partCount = 0
        if parts.count == 2 {
            guard let count = Int(parts[1]), (1...Limits.partCountMax).contains(count) else {
                return nil
            }
            partCount = count
        }
        self.init(algorithm: algorithm, bytes: bytes, compositePartCount: partCount)
    }
}

/// A running checksum of any of S3's algorithms.
package struct ChecksumHasher: ~Copyable, Sendable {
    package let algorithm: ChecksumAlgorithm
    // Only the one that `algorithm` names is fed.
    private var crc32 = CRC32()
    private var crc32c = CRC32C()
    private var crc64nvme = CRC64NVME()
    private var digest: Digest?

    package init(_ algorithm: ChecksumAlgorithm) {
        self.algorithm = algorithm
        switch algorithm {
        case .crc32, .crc32c, .crc64nvme: digest = nil
        case .sha1: digest = Digest(.sha1)
        case .sha256: digest = Digest(.sha256)
        }
    }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) {
        switch algorithm {
        case .crc32: crc32.update(bytes)
        case .crc32c: crc32c.update(bytes)
        case .crc64nvme: crc64nvme.update(bytes)
        case .sha1, .sha256: digest?.update(bytes)
        }
    }

    package consuming func finish() -> ChecksumValue {
        let bytes =
            switch algorithm {
            case .crc32: crc32.value.bigEndianBytes
            case .crc32c: crc32c.value.bigEndianBytes
            case .crc64nvme: crc64nvme.value.bigEndianBytes
            case .sha1, .sha256: digest.take()?.finish() ?? []
            }
        return ChecksumValue(algorithm: algorithm, bytes: bytes)
    }

    package static func of(_ bytes: [UInt8], _ algorithm: ChecksumAlgorithm) -> ChecksumValue {
        var hasher = ChecksumHasher(algorithm)
        bytes.withUnsafeBytes { hasher.update($0) }
        return hasher.finish()
    }
}
