import Core
import NIOCore
import ObjectStore
import S3

/// The bytes of an object on their way in: framing taken off, length, hash and signatures checked.
/// A class, because the decoder is not to be copied.
final class RequestBodySource: ByteSource {
    private let exchange: Exchange
    private let protection: BodyProtection
    private var decoder: BodyDecoder
    private var piece = ByteBuffer()
    private var offset = 0
    private var isEnded = false
    private(set) var trailingChecksum: ObjectChecksum?

    init(_ exchange: Exchange, _ proof: SigV4Proof, _ protection: BodyProtection) {
        self.exchange = exchange
        self.protection = protection
        decoder = BodyDecoder(
            payload: proof.payload, signing: proof.chunks, bytes: protection.bytes)
    }

    /// - Throws: ``S3Error`` for a body that is not what its head promised.
    func next() async throws -> ByteBuffer? {
        while !isEnded {
            if let payload = try payload() { return payload }
            guard let next = try await exchange.nextPiece() else {
                try finish()
                break
            }
            piece = next
            offset = 0
        }
        return nil
    }

    /// The next payload in the piece at hand: a slice, no copy.
    ///
    /// Not inlined, as ``finish()``: Swift 6.3.1's optimizer crashes when it splits ``next()`` with
    /// their typed errors inside.
    @inline(never)
    private func payload() throws(S3Error) -> ByteBuffer? {
        var range: Range<Int>?
        do {
            range = try piece.withUnsafeReadableBytes { bytes in
                try decoder.next(bytes, at: &offset)
            }
        } catch let error as S3Error {
            throw error
        } catch {
            throw S3Error(.internalError)
        }
        guard let range else { return nil }
        return piece.getSlice(at: piece.readerIndex + range.lowerBound, length: range.count)
    }

    @inline(never)
    private func finish() throws(S3Error) {
        let trailers = try decoder.finish()
        isEnded = true
        if protection.trailerName != nil {
            trailingChecksum = try protection.checksum(in: trailers).map { ObjectChecksum($0) }
        } else {
            _ = try protection.checksum(in: trailers)
        }
    }
}

extension ObjectChecksum.Algorithm {
    init(_ algorithm: ChecksumAlgorithm) {
        switch algorithm {
        case .crc32: self = .crc32
        case .crc32c: self = .crc32c
        case .crc64nvme: self = .crc64nvme
        case .sha1: self = .sha1
        case .sha256: self = .sha256
        }
    }
}

extension ObjectChecksum {
    init(_ value: ChecksumValue) {
        self.init(
            algorithm: Algorithm(value.algorithm), value: value.bytes,
            isComposite: value.isComposite)
    }

    /// - Parameter partCount: Of the object; counts for a checksum of checksums.
    func named(partCount: Int) -> ChecksumValue? {
        guard value.count == algorithm.byteCount else { return nil }
        return ChecksumValue(
            algorithm: algorithm.named, bytes: value,
            compositePartCount: isComposite ? partCount : 0)
    }
}

extension Exchange {
    /// All of a small body, checked: documents, JSON.
    ///
    /// - Parameter isSummed: A checksum header is about this body, not about the object that the
    ///   request completes.
    func collect(
        _ proof: SigV4Proof, bytesMax: Int, isSummed: Bool = true,
        tooLarge: S3ErrorCode = .malformedXML
    ) async throws -> [UInt8] {
        let headers = isSummed ? head.headers : head.headers.withoutChecksums
        let protection = try BodyProtection(headers, payload: proof.payload)
        guard protection.bytes <= bytesMax else { throw S3Error(tooLarge) }
        let source = RequestBodySource(self, proof, protection)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(protection.bytes)
        while let piece = try await source.next() {
            bytes.append(contentsOf: piece.readableBytesView)
        }
        if let md5 = protection.md5, Digest.of(bytes, .md5) != md5 { throw S3Error(.badDigest) }
        let declared = protection.checksum.map { ObjectChecksum($0) } ?? source.trailingChecksum
        if let declared {
            let actual = ChecksumHasher.of(bytes, declared.algorithm.named)
            guard actual.bytes == declared.value else { throw S3Error(.badDigest) }
        }
        return bytes
    }
}

extension S3Headers {
    fileprivate var withoutChecksums: S3Headers {
        var rest = S3Headers()
        for field in self
        where ChecksumAlgorithm(headerName: field.name) == nil
            && field.name != "x-amz-sdk-checksum-algorithm"
        { rest.append(field.name, field.value) }
        return rest
    }
}
