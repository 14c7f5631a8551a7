extension S3ErrorCode {
    /// The HTTP status that S3 sends with the code.
    package var status: Int { entry.status }
    /// S3's own words, where the thrower has none that say more.
    package var message: String { entry.message }

    private var entry: (status: Int, message: String) {
        switch self {
        case .accessDenied, .invalidAccessKeyID, .requestTimeTooSkewed, .signatureDoesNotMatch:
            (403, forbidden)
        case .noSuchAccessKey, .noSuchBucket, .noSuchBucketPolicy, .noSuchCORSConfiguration,
            .noSuchKey, .noSuchLifecycleConfiguration, .noSuchPublicAccessBlock, .noSuchTagSet,
            .noSuchUpload, .noSuchWebsiteConfiguration, .objectLockConfigurationNotFound,
            .ownershipControlsNotFound, .replicationConfigurationNotFound:
            (404, notFound)
        case .bucketAlreadyExists, .bucketAlreadyOwnedByYou, .bucketNotEmpty,
            .conditionalRequestConflict:
            (409, conflict)
        case .notModified: (304, "Not Modified")
        case .methodNotAllowed:
            (405, "The specified method is not allowed against this resource.")
        case .missingContentLength: (411, "You must provide the Content-Length HTTP header.")
        case .preconditionFailed:
            (412, "At least one of the pre-conditions you specified did not hold")
        case .invalidRange: (416, "The requested range is not satisfiable")
        case .internalError: (500, "We encountered an internal error. Please try again.")
        case .notImplemented:
            (501, "A header you provided implies functionality that is not implemented")
        case .serviceUnavailable: (503, "Service is unable to handle request.")
        case .slowDown: (503, "Please reduce your request rate.")
        default: (400, badRequest)
        }
    }

    private var forbidden: String {
        switch self {
        case .invalidAccessKeyID:
            "The AWS Access Key Id you provided does not exist in our records."
        case .requestTimeTooSkewed:
            "The difference between the request time and the current time is too large."
        case .signatureDoesNotMatch:
            "The request signature we calculated does not match the signature you provided. "
                + "Check your key and signing method."
        default: "Access Denied"
        }
    }

    private var notFound: String {
        switch self {
        case .noSuchAccessKey: "There is no such access key."
        case .noSuchBucket: "The specified bucket does not exist"
        case .noSuchBucketPolicy: "The bucket policy does not exist"
        case .noSuchCORSConfiguration: "The CORS configuration does not exist"
        case .noSuchKey: "The specified key does not exist."
        case .noSuchLifecycleConfiguration: "The lifecycle configuration does not exist"
        case .noSuchPublicAccessBlock: "The public access block configuration was not found"
        case .noSuchTagSet: "The TagSet does not exist"
        case .noSuchUpload:
            "The specified upload does not exist. The upload ID may be invalid, or the upload may "
                + "have been aborted or completed."
        case .noSuchWebsiteConfiguration:
            "The specified bucket does not have a website configuration"
        case .objectLockConfigurationNotFound:
            "Object Lock configuration does not exist for this bucket"
        case .ownershipControlsNotFound: "The bucket ownership controls were not found"
        default: "The replication configuration was not found"
        }
    }

    private var conflict: String {
        switch self {
        case .bucketAlreadyExists: "The requested bucket name is not available."
        case .bucketAlreadyOwnedByYou:
            "Your previous request to create the named bucket succeeded and you already own it."
        case .bucketNotEmpty: "The bucket you tried to delete is not empty"
        default: "The conditional request cannot succeed due to a conflicting operation."
        }
    }

    private var badRequest: String {
        switch self {
        case .authorizationHeaderMalformed:
            "The authorization header that you provided is not valid."
        case .authorizationQueryParametersError:
            "The authorization query parameters that you provided are not valid."
        case .badDigest:
            "The Content-MD5 or checksum value that you specified did not match what the server "
                + "received."
        case .entityTooLarge: "Your proposed upload exceeds the maximum allowed object size."
        case .entityTooSmall:
            "Your proposed upload is smaller than the minimum allowed object size."
        case .incompleteBody:
            "You did not provide the number of bytes specified by the Content-Length HTTP header."
        case .illegalLocationConstraint, .invalidLocationConstraint:
            "The specified location-constraint is not valid"
        case .invalidBucketName: "The specified bucket is not valid."
        case .invalidChunkSize: "Chunk size is not valid"
        case .invalidDigest: "The Content-MD5 or checksum value that you specified is not valid."
        case .invalidPart, .invalidPartNumber, .invalidPartOrder: partMessage
        case .invalidToken: "The provided token is malformed or otherwise not valid."
        case .invalidURI: "Couldn't parse the specified URI."
        case .keyTooLong: "Your key is too long."
        case .malformedTrailer: "The request contained trailing data that was not well-formed."
        case .malformedXML:
            "The XML you provided was not well-formed or did not validate against our published "
                + "schema"
        case .metadataTooLarge:
            "Your metadata headers exceed the maximum allowed metadata size."
        case .requestHeaderSectionTooLarge:
            "The request header section exceeds the maximum allowed size."
        case .requestTimeout:
            "Your socket connection to the server was not read from or written to within the "
                + "timeout period."
        case .tooManyBuckets: "You have attempted to create more buckets than allowed"
        case .contentSHA256Mismatch:
            "The provided 'x-amz-content-sha256' header does not match what was computed."
        case .missingSecurityHeader: "Your request is missing a required header."
        case .invalidStorageClass: "The storage class you specified is not valid"
        default: "Invalid Request"
        }
    }

    private var partMessage: String {
        switch self {
        case .invalidPartNumber: "The requested partnumber is not satisfiable"
        case .invalidPartOrder:
            "The list of parts was not in ascending order. The parts list must be specified in "
                + "order by part number."
        default:
            "One or more of the specified parts could not be found. The part may not have been "
                + "uploaded, or the specified entity tag may not match the part's entity tag."
        }
    }
}
