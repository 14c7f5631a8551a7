import ObjectStore
import S3

extension S3Error {
    /// What the client is told of an operation that was not done. Exhaustive: a new case must not
    /// compile until it is answered.
    init(answering error: ObjectStoreError) {
        switch error {
        case .noSuchBucket: self.init(.noSuchBucket)
        case .noSuchKey: self.init(.noSuchKey)
        case .noSuchUpload: self.init(.noSuchUpload)
        case .bucketAlreadyExists: self.init(.bucketAlreadyExists)
        case .bucketAlreadyOwnedByYou: self.init(.bucketAlreadyOwnedByYou)
        case .bucketNotEmpty: self.init(.bucketNotEmpty)
        case .tooManyBuckets: self.init(.tooManyBuckets)
        case .preconditionFailed(let condition):
            self.init(.preconditionFailed, details: [("Condition", condition)])
        case .notModified: self.init(.notModified)
        case .invalidRange(let size):
            self.init(.invalidRange, details: [("ActualObjectSize", "\(size)")])
        case .invalidPartNumber: self.init(.invalidPartNumber)
        case .invalidPart(let number):
            self.init(.invalidPart, details: [("PartNumber", "\(number)")])
        case .invalidPartOrder: self.init(.invalidPartOrder)
        case .entityTooSmall(let part, let size):
            self.init(
                .entityTooSmall, details: [("PartNumber", "\(part)"), ("ProposedSize", "\(size)")])
        case .entityTooLarge(let bytesMax):
            self.init(.entityTooLarge, details: [("MaxSizeAllowed", "\(bytesMax)")])
        case .keyTooLong(let bytes): self.init(.keyTooLong, details: [("Size", "\(bytes)")])
        case .invalidKey: self.init(.invalidURI)
        case .badDigest(let declared):
            self.init(.badDigest, "The \(declared) you specified did not match what we received.")
        case .incompleteBody: self.init(.incompleteBody)
        case .invalidRequest(let text): self.init(.invalidRequest, text)
        case .invalidArgument(let text): self.init(.invalidArgument, text)
        case .slowDown: self.init(.slowDown)
        case .uncertain, .damaged: self.init(.internalError)
        }
    }
}

extension ObjectStoreError {
    /// What the operator should read, with how loud.
    var complaint: (text: String, isDamage: Bool)? {
        switch self {
        case .slowDown(let text), .uncertain(let text): (text, false)
        case .damaged(let text): (text, true)
        default: nil
        }
    }
}
