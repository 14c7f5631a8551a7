/// Which of S3's own headers a request may carry. Never accepts in silence what asks for something
/// that is not built.
package enum HeaderRules {
    /// Headers that ask for nothing, or for something that is done elsewhere.
    private static let accepted: Set<String> = [
        "x-amz-date", "x-amz-content-sha256", "x-amz-decoded-content-length", "x-amz-trailer",
        "x-amz-user-agent", "x-amz-sdk-checksum-algorithm", "x-amz-checksum-algorithm",
        "x-amz-checksum-type", "x-amz-checksum-mode", "x-amz-copy-source",
        "x-amz-copy-source-range", "x-amz-copy-source-if-match",
        "x-amz-copy-source-if-none-match", "x-amz-copy-source-if-modified-since",
        "x-amz-copy-source-if-unmodified-since", "x-amz-metadata-directive", "x-amz-max-parts",
        "x-amz-part-number-marker", "x-amz-optional-object-attributes", "x-amz-request-payer",
        "x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner",
        "x-amz-mp-object-size", "x-amz-te", "x-amz-api-version",
    ]

    /// Headers of which only these values ask for no more than there is, in any case.
    private static let values: [String: [String]] = [
        "x-amz-acl": ["private", "bucket-owner-full-control"],
        "x-amz-storage-class": ["", "standard"],
        "x-amz-server-side-encryption": ["aes256"],
        "x-amz-server-side-encryption-bucket-key-enabled": ["false"],
        "x-amz-tagging": [""],
        "x-amz-tagging-directive": ["copy"],
        "x-amz-object-ownership": ["bucketownerenforced"],
        "x-amz-bucket-object-lock-enabled": ["false"],
        "x-amz-object-lock-legal-hold": ["off"],
        "x-amz-website-redirect-location": [""],
    ]

    /// - Throws: `NotImplemented`, naming the header.
    package static func check(_ headers: S3Headers) throws(S3Error) {
        for field in headers where field.name.utf8.starts(with: "x-amz-".utf8) {
            let name = field.name
            if accepted.contains(name) || name.utf8.starts(with: "x-amz-meta-".utf8) { continue }
            if ChecksumAlgorithm(headerName: name) != nil { continue }
            if let values = values[name] {
                if values.contains(field.value.lowercased().trimmingSpaces) { continue }
                if name == "x-amz-storage-class" && !storageClasses.contains(field.value) {
                    throw S3Error(.invalidStorageClass)
                }
            }
            // Not the value: it may be a customer's key.
            throw .notImplemented(name)
        }
    }

    private static let storageClasses = [
        "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER",
        "GLACIER_IR", "DEEP_ARCHIVE", "OUTPOSTS", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS",
    ]

    /// The sizes that S3 limits.
    ///
    /// - Throws: `RequestHeaderSectionTooLarge`, `MetadataTooLarge`.
    package static func checkSizes(_ head: S3RequestHead) throws(S3Error) {
        var bytes = 0
        var metadataBytes = 0
        for field in head.headers {
            let fieldBytes = field.name.utf8.count + field.value.utf8.count
            bytes += fieldBytes
            if field.name.utf8.starts(with: "x-amz-meta-".utf8) {
                metadataBytes += fieldBytes - 11
            }
        }
        guard bytes <= S3Limits.headerBytesMax,
            head.headers.fields.count <= S3Limits.headerCountMax
        else {
            throw S3Error(
                .requestHeaderSectionTooLarge,
                details: [("MaxSizeAllowed", "\(S3Limits.headerBytesMax)")])
        }
        guard head.path.utf8.count + head.query.utf8.count <= S3Limits.targetBytesMax else {
            throw S3Error(.invalidURI, "The request's URI is too long.")
        }
        guard metadataBytes <= S3Limits.userMetadataBytesMax else {
            throw S3Error(
                .metadataTooLarge,
                details: [
                    ("Size", "\(metadataBytes)"),
                    ("MaxSizeAllowed", "\(S3Limits.userMetadataBytesMax)"),
                ])
        }
    }
}
