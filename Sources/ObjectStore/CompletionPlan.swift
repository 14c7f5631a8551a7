import Core
import Messages
import S3

/// What an upload becomes when it is completed: checks the client's list against the parts that are
/// there, and computes size, ETag and checksum. Pure.
struct CompletionPlan {
    private let requested: [CompleteUploadRequest.Part]
    private let checksum: (algorithm: ObjectChecksum.Algorithm, type: ChecksumType)?
    private var next = 0
    private var checksums: [(value: [UInt8], size: Int)] = []
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
            guard part.number == wanted.number, part.etag.utf8.elementsEqual(wanted.etag.utf8)
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
        checksums.append((stored.value, part.size))
    }

    /// No more parts are there.
    func finish() throws(ObjectStoreError) {
        guard isComplete else { throw .invalidPart(number: requested[next].number) }
    }

    /// - Returns: `nil` if the client named a part by what is no MD5; no part has such an ETag.
    var etag: String? { MultipartETag.of(requested.map(\.etag)) }

    /// - Returns: `nil` where no checksum was asked for.
    var objectChecksum: ObjectChecksum? {
        checksum.flatMap { ObjectChecksum.ofParts(checksums, $0.algorithm, $0.type) }
    }
}
