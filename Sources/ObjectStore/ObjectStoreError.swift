/// Why an operation was not done. Each case says what the caller answers (S3's code and status);
/// the caller translates exhaustively.
///
/// Operations that read a body throw this, or the source's own error as it is.
package enum ObjectStoreError: Error, Hashable, Sendable {
    // MARK: The client's mistakes
    /// 404 NoSuchBucket.
    case noSuchBucket
    /// 404 NoSuchKey.
    case noSuchKey
    /// 404 NoSuchUpload.
    case noSuchUpload
    /// 409 BucketAlreadyExists: somebody else's.
    case bucketAlreadyExists
    /// 409 BucketAlreadyOwnedByYou.
    case bucketAlreadyOwnedByYou
    /// 409 BucketNotEmpty.
    case bucketNotEmpty
    /// 400 TooManyBuckets.
    case tooManyBuckets
    /// 412 PreconditionFailed, naming the header that failed (`If-Match`, …) where it is known.
    case preconditionFailed(condition: String)
    /// 304, with the object's headers, no body.
    case notModified(ObjectInfo)
    /// 416 InvalidRange, `Content-Range: bytes */size`.
    case invalidRange(size: Int)
    /// 416 InvalidPartNumber.
    case invalidPartNumber
    /// 400 InvalidPart.
    case invalidPart(number: Int)
    /// 400 InvalidPartOrder.
    case invalidPartOrder
    /// 400 EntityTooSmall: a part but the last below 5 MiB.
    case entityTooSmall(part: Int, size: Int)
    /// 400 EntityTooLarge.
    case entityTooLarge(bytesMax: Int)
    /// 400 KeyTooLongError.
    case keyTooLong(bytes: Int)
    /// 400 InvalidArgument / InvalidURI: an empty key, or one that is not UTF-8.
    case invalidKey
    /// 400 BadDigest: the bytes received do not have the Content-MD5 or checksum declared.
    case badDigest(declared: String)
    /// 400 IncompleteBody: fewer or more bytes than were declared.
    case incompleteBody
    /// 400 InvalidRequest with this text for people.
    case invalidRequest(String)
    /// 400 InvalidArgument with this text for people.
    case invalidArgument(String)

    // MARK: Ours
    /// 503 SlowDown: overloaded, no quorum just now, a node failed at a bad moment. Nothing was
    /// committed, or a repeat is harmless. The client retries; the text is for the log.
    case slowDown(String)
    /// 500 InternalError: it may have been committed; the client retries. The text is for the log.
    case uncertain(String)
    /// 500 InternalError: no good copy of the object's bytes could be read, or a record that cannot
    /// be understood. The text is for the log, at error level.
    case damaged(String)
}
