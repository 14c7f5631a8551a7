/// What a request asks for, by its method, what it names and the names of its parameters.
///
/// A case per operation of the S3 API that is answered; everything else that S3 has is
/// ``notImplemented(_:)``.
package enum S3Operation: Equatable, Sendable {
    case listBuckets
    case createBucket, headBucket, deleteBucket
    /// A setting of the bucket that is read and has S3's default, since it cannot be changed.
    case getBucketSetting(BucketSetting)
    /// Removes a setting that cannot be there.
    case deleteBucketSetting(BucketSetting)
    case listObjects, listObjectsV2
    case deleteObjects
    case listMultipartUploads
    case getObject, headObject, putObject, copyObject, deleteObject
    case getObjectACL, getObjectTagging
    case createMultipartUpload, uploadPart, uploadPartCopy
    case completeMultipartUpload, abortMultipartUpload, listParts
    /// Part of S3, not of this server. The name is for the error and the metrics.
    case notImplemented(String)
    /// Not part of S3.
    case methodNotAllowed

    /// As in the S3 API reference: for logs and metrics; a bounded set.
    package var name: String {
        switch self {
        case .listBuckets: "ListBuckets"
        case .createBucket: "CreateBucket"
        case .headBucket: "HeadBucket"
        case .deleteBucket: "DeleteBucket"
        case .getBucketSetting(let setting): setting.getOperationName
        case .deleteBucketSetting: "DeleteBucketSetting"
        case .listObjects: "ListObjects"
        case .listObjectsV2: "ListObjectsV2"
        case .deleteObjects: "DeleteObjects"
        case .listMultipartUploads: "ListMultipartUploads"
        case .getObject: "GetObject"
        case .headObject: "HeadObject"
        case .putObject: "PutObject"
        case .copyObject: "CopyObject"
        case .deleteObject: "DeleteObject"
        case .getObjectACL: "GetObjectAcl"
        case .getObjectTagging: "GetObjectTagging"
        case .createMultipartUpload: "CreateMultipartUpload"
        case .uploadPart: "UploadPart"
        case .uploadPartCopy: "UploadPartCopy"
        case .completeMultipartUpload: "CompleteMultipartUpload"
        case .abortMultipartUpload: "AbortMultipartUpload"
        case .listParts: "ListParts"
        case .notImplemented: "NotImplemented"
        case .methodNotAllowed: "MethodNotAllowed"
        }
    }

    /// The request's body carries the bytes of an object.
    package var takesObjectBody: Bool { self == .putObject || self == .uploadPart }

    package static func of(
        _ head: S3RequestHead, target: S3Target, query: S3Query
    ) -> S3Operation {
        if target.bucket == nil {
            return head.method == "GET" ? .listBuckets : .methodNotAllowed
        }
        // The first parameter that names a part of S3 decides; others mean nothing here.
        if target.key == nil { return bucketOperation(head.method, query) }
        return objectOperation(head, query)
    }
}

/// Settings of a bucket that S3 has and this server reads out as they are by default.
package enum BucketSetting: String, Sendable, CaseIterable {
    case location, versioning, acl, policy, policyStatus, cors, lifecycle, tagging, website
    case logging, notification, encryption, replication, requestPayment, accelerate
    case objectLock = "object-lock"
    case ownershipControls, publicAccessBlock

    var getOperationName: String {
        switch self {
        case .location: "GetBucketLocation"
        case .versioning: "GetBucketVersioning"
        case .acl: "GetBucketAcl"
        default: "GetBucketSetting"
        }
    }

    /// Deleting it leaves the bucket as it is, because there is none.
    var isDeletable: Bool {
        switch self {
        case .policy, .cors, .lifecycle, .tagging, .website, .replication: true
        default: false
        }
    }
}

extension S3Operation {
    private static let otherBucketParameters = [
        "versions", "inventory", "metrics", "analytics", "intelligent-tiering", "session",
        "metadataTable", "metadataConfiguration", "abac",
    ]

    private static func bucketOperation(_ method: String, _ query: S3Query) -> S3Operation {
        for parameter in query.parameters {
            if let setting = BucketSetting(rawValue: parameter.name) {
                switch method {
                case "GET": return .getBucketSetting(setting)
                case "DELETE" where setting.isDeletable: return .deleteBucketSetting(setting)
                default: return .notImplemented("\(method) ?\(parameter.name)")
                }
            }
            if otherBucketParameters.contains(parameter.name) {
                return .notImplemented("\(method) ?\(parameter.name)")
            }
            switch (method, parameter.name) {
            case ("GET", "uploads"): return .listMultipartUploads
            case ("POST", "delete"): return .deleteObjects
            case ("GET", "list-type"):
                return parameter.value == "2"
                    ? .listObjectsV2 : .notImplemented("list-type=\(parameter.value)")
            default: continue
            }
        }
        switch method {
        case "GET": return .listObjects
        case "HEAD": return .headBucket
        case "PUT": return .createBucket
        case "DELETE": return .deleteBucket
        case "POST": return .notImplemented("POST Object")
        case "OPTIONS": return .notImplemented("OPTIONS")
        default: return .methodNotAllowed
        }
    }

    private static let otherObjectParameters = [
        "attributes", "torrent", "retention", "legal-hold", "restore", "select", "renameObject",
        "encryption", "annotation",
    ]

    private static func objectOperation(_ head: S3RequestHead, _ query: S3Query) -> S3Operation {
        let method = head.method
        for parameter in query.parameters {
            let name = parameter.name
            if otherObjectParameters.contains(name) { return .notImplemented("\(method) ?\(name)") }
            switch (method, name) {
            case ("GET", "acl"): return .getObjectACL
            case ("GET", "tagging"): return .getObjectTagging
            case (_, "acl"), (_, "tagging"): return .notImplemented("\(method) ?\(name)")
            case ("POST", "uploads"): return .createMultipartUpload
            case ("PUT", "append"), ("POST", "append"): return .notImplemented("append")
            case ("GET", "uploadId"): return .listParts
            case ("POST", "uploadId"): return .completeMultipartUpload
            case ("DELETE", "uploadId"): return .abortMultipartUpload
            case ("PUT", "uploadId"), ("PUT", "partNumber"):
                return head.headers.has("x-amz-copy-source") ? .uploadPartCopy : .uploadPart
            default: continue
            }
        }
        switch method {
        case "GET": return .getObject
        case "HEAD": return .headObject
        case "PUT": return head.headers.has("x-amz-copy-source") ? .copyObject : .putObject
        case "DELETE": return .deleteObject
        case "POST": return .notImplemented("POST Object")
        case "OPTIONS": return .notImplemented("OPTIONS")
        default: return .methodNotAllowed
        }
    }
}
