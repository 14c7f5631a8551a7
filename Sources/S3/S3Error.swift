/// An answer that is not what the client hoped for: S3's code, its HTTP status, words for people.
package struct S3Error: Error, Equatable, Sendable {
    package let code: S3ErrorCode
    package let message: String
    /// Further elements of the error document, in order.
    package let details: [Detail]

    package struct Detail: Equatable, Sendable {
        package let name: String
        package let value: String
    }

    package init(_ code: S3ErrorCode, _ message: String? = nil, details: [(String, String)] = []) {
        self.code = code
        self.message = message ?? code.message
        self.details = details.map { Detail(name: $0.0, value: $0.1) }
    }

    package var status: Int { code.status }

    /// The error document of the S3 REST API.
    ///
    /// - Parameter resource: The path as the client sent it.
    package func document(resource: String, requestID: String) -> [UInt8] {
        var xml = XMLWriter()
        xml.open("Error")
        xml.element("Code", code.rawValue)
        xml.element("Message", message)
        for detail in details { xml.element(detail.name, detail.value) }
        xml.element("Resource", resource)
        xml.element("RequestId", requestID)
        xml.close("Error")
        return xml.bytes
    }

    /// A header or parameter asks for something that is not built.
    package static func notImplemented(_ what: String) -> S3Error {
        S3Error(
            .notImplemented,
            "A header or parameter you provided implies functionality that is not implemented: "
                + what, details: [("Header", what)])
    }

    package static func invalidArgument(_ name: String, _ value: String, _ message: String)
        -> S3Error
    {
        S3Error(
            .invalidArgument, message, details: [("ArgumentName", name), ("ArgumentValue", value)])
    }
}

/// The codes that this server answers with (S3 API Reference, "Error responses").
package enum S3ErrorCode: String, Sendable, CaseIterable {
    case accessDenied = "AccessDenied"
    case authorizationHeaderMalformed = "AuthorizationHeaderMalformed"
    case authorizationQueryParametersError = "AuthorizationQueryParametersError"
    case badDigest = "BadDigest"
    case bucketAlreadyExists = "BucketAlreadyExists"
    case bucketAlreadyOwnedByYou = "BucketAlreadyOwnedByYou"
    case bucketNotEmpty = "BucketNotEmpty"
    case conditionalRequestConflict = "ConditionalRequestConflict"
    case entityTooLarge = "EntityTooLarge"
    case entityTooSmall = "EntityTooSmall"
    case illegalLocationConstraint = "IllegalLocationConstraintException"
    case incompleteBody = "IncompleteBody"
    case internalError = "InternalError"
    case invalidAccessKeyID = "InvalidAccessKeyId"
    case invalidArgument = "InvalidArgument"
    case invalidBucketName = "InvalidBucketName"
    case invalidChunkSize = "InvalidChunkSizeError"
    case invalidDigest = "InvalidDigest"
    case invalidLocationConstraint = "InvalidLocationConstraint"
    case invalidPart = "InvalidPart"
    case invalidPartNumber = "InvalidPartNumber"
    case invalidPartOrder = "InvalidPartOrder"
    case invalidRange = "InvalidRange"
    case invalidRequest = "InvalidRequest"
    case invalidStorageClass = "InvalidStorageClass"
    case invalidToken = "InvalidToken"
    case invalidURI = "InvalidURI"
    case keyTooLong = "KeyTooLongError"
    case malformedTrailer = "MalformedTrailerError"
    case malformedXML = "MalformedXML"
    case metadataTooLarge = "MetadataTooLarge"
    case methodNotAllowed = "MethodNotAllowed"
    case missingContentLength = "MissingContentLength"
    case missingSecurityHeader = "MissingSecurityHeader"
    case noSuchAccessKey = "NoSuchAccessKey"
    case noSuchBucket = "NoSuchBucket"
    case noSuchBucketPolicy = "NoSuchBucketPolicy"
    case noSuchCORSConfiguration = "NoSuchCORSConfiguration"
    case noSuchKey = "NoSuchKey"
    case noSuchLifecycleConfiguration = "NoSuchLifecycleConfiguration"
    case noSuchPublicAccessBlock = "NoSuchPublicAccessBlockConfiguration"
    case noSuchTagSet = "NoSuchTagSet"
    case noSuchUpload = "NoSuchUpload"
    case noSuchWebsiteConfiguration = "NoSuchWebsiteConfiguration"
    case notImplemented = "NotImplemented"
    case notModified = "NotModified"
    case objectLockConfigurationNotFound = "ObjectLockConfigurationNotFoundError"
    case ownershipControlsNotFound = "OwnershipControlsNotFoundError"
    case preconditionFailed = "PreconditionFailed"
    case replicationConfigurationNotFound = "ReplicationConfigurationNotFoundError"
    case requestHeaderSectionTooLarge = "RequestHeaderSectionTooLarge"
    case requestTimeout = "RequestTimeout"
    case requestTimeTooSkewed = "RequestTimeTooSkewed"
    case serviceUnavailable = "ServiceUnavailable"
    case signatureDoesNotMatch = "SignatureDoesNotMatch"
    case slowDown = "SlowDown"
    case tooManyBuckets = "TooManyBuckets"
    case contentSHA256Mismatch = "XAmzContentSHA256Mismatch"
}
