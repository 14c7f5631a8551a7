import Core

/// What a request may be, at most. S3's own figures where S3 documents one.
package enum S3Limits {
    /// All header fields of a request, names and values (S3: 8 KB).
    package static let headerBytesMax = 16 << 10
    /// User metadata, names and values (S3: 2 KB).
    package static let userMetadataBytesMax = 2 << 10
    /// Headers in one request.
    package static let headerCountMax = 200
    /// Path and query as sent.
    package static let targetBytesMax = 16 << 10
    /// Query parameters in one request.
    package static let queryCountMax = 100
    /// The line that opens a chunk of an aws-chunked body.
    package static let chunkLineBytesMax = 512
    /// All trailer lines of an aws-chunked body.
    package static let trailerBytesMax = 4 << 10
    /// XML bodies: CompleteMultipartUpload with 10,000 parts is the largest (about 1.5 MiB with
    /// checksums); Delete with 1,000 keys of 1,024 bytes is next.
    package static let xmlBytesMax = 4 << 20
    package static let xmlDepthMax = 16
    package static let xmlElementsMax = 120_000
    /// Keys in one DeleteObjects; entries of one page of a listing.
    package static let deleteCountMax = 1000
    package static let pageMax = 1000
    /// A presigned request may be valid for seven days.
    package static let presignedSecondsMax = 604_800
    /// Clocks may differ by fifteen minutes.
    package static let clockSkewSeconds = 900
    /// Derived signing keys kept: access keys × dates × regions that are in use at a time.
    package static let signingKeysMax = 4096

    /// Relations between limits. Run once at start-up and once in a test.
    package static func check() {
        Limits.check()
        precondition(userMetadataBytesMax < headerBytesMax, "metadata travels in headers")
        precondition(Limits.partCountMax * 150 <= xmlBytesMax, "a list of all parts fits")
        precondition(deleteCountMax * Limits.objectKeyBytesMax < xmlBytesMax, "keys fit")
        precondition(chunkLineBytesMax < trailerBytesMax, "a trailer is more than a line")
    }
}
