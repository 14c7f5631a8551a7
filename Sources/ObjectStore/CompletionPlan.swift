import Core
import Messages

/// What an upload becomes when it is completed: checks the client's list against the parts that are
/// there, and computes size, ETag and checksum. Pure.
struct CompletionPlan {
    private let requested: [CompleteUploadRequest.Part]
    private let checksum: (algorithm: ObjectChecksum.Algorithm, type: ChecksumType)?
    private var next = 0
    private var md5s: [UInt8] = []
    private var composite: [UInt8] = []
    private var whole: [UInt8]?
    private(set) var size = 0

    init(
        _ requested: [CompleteUploadRequest.Part], upload: UploadInfo
    ) throws(ObjectStoreError) {
        guard !requested.isEmpty, requested.count <= Limits.partCountMax else {
            throw .invalidRequest("You must specify between 1 and 10,000 parts")
        }
        for (left, right) in zip(requested, requested.dropFirst())
        where left.number >= right.number {
            throw .invalidPartOrder
        }
        self.requested = requested
        checksum = upload.checksum.map { ($0, upload.checksumType ?? .composite) }
    }

    /// All that were asked for have been seen.
    var isComplete: Bool { next == requested.count }

    /// The parts that are there, in ascending order, page by page.
    mutating func add(_ parts: some Sequence<PartInfo>) throws(ObjectStoreError) {
        for part in parts {
            guard next < requested.count else { return }
            let wanted = requested[next]
            if part.number < wanted.number { continue }
            guard part.number == wanted.number, part.etag.utf8.elementsEqual(wanted.etag.utf8),
                let md5 = Hex.decode(part.etag)
            else { throw .invalidPart(number: wanted.number) }
            let isLast = next == requested.count - 1
            guard isLast || part.size >= Limits.partBytesMin else {
                throw .entityTooSmall(part: part.number, size: part.size)
            }
            if let declared = wanted.checksum, let stored = part.checksum,
                declared.algorithm != stored.algorithm || declared.value != stored.value
            {
                throw .invalidPart(number: wanted.number)
            }
            try addChecksum(part)
            md5s += md5
            size += part.size
            next += 1
        }
        guard size <= Limits.objectBytesMax else {
            throw .entityTooLarge(bytesMax: Limits.objectBytesMax)
        }
    }

    private mutating func addChecksum(_ part: PartInfo) throws(ObjectStoreError) {
        guard let checksum else { return }
        guard let stored = part.checksum, stored.algorithm == checksum.algorithm else {
            throw .invalidRequest(
                "The upload was created using a \(checksum.algorithm.rawValue) checksum. The "
                    + "complete request must include the checksum for each part. It was missing "
                    + "for part \(part.number) in the request.")
        }
        switch checksum.type {
        case .composite: composite += stored.value
        case .fullObject:
            guard let left = whole else {
                whole = stored.value
                return
            }
            whole = ChecksumCombination.combine(
                left, stored.value, rightBytes: part.size, checksum.algorithm)
        }
    }

    /// No more parts are there.
    func finish() throws(ObjectStoreError) {
        guard isComplete else { throw .invalidPart(number: requested[next].number) }
    }

    var etag: String { Self.etag(md5s: md5s, count: requested.count) }

    /// MD5 of the parts' MD5s, and their number.
    static func etag(md5s: [UInt8], count: Int) -> String {
        Hex.encode(Digest.of(md5s, .md5)) + "-\(count)"
    }

    /// - Returns: `nil` where no checksum was asked for.
    var objectChecksum: ObjectChecksum? {
        guard let checksum else { return nil }
        switch checksum.type {
        case .composite:
            return ObjectChecksum(
                algorithm: checksum.algorithm,
                value: BodyDigests.of(composite, checksum.algorithm), isComposite: true)
        case .fullObject:
            return whole.map { ObjectChecksum(algorithm: checksum.algorithm, value: $0) }
        }
    }
}
