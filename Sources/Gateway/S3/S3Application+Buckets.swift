import HTTPTypes
import ObjectStore
import S3

extension S3Application {
    func listBuckets(_ request: S3Request) async throws -> Reply {
        let limit = try ListParameters.limit(request.query, "max-buckets", max: 10_000)
        if let region = request.query["bucket-region"], region != configuration.region {
            return .xml(200, Self.document(of: [], next: nil, prefix: nil))
        }
        let prefix = request.query["prefix"]
        let page = try await objects.listBuckets(
            prefix: prefix ?? "", after: request.query["continuation-token"] ?? "",
            limit: max(limit, 1))
        return .xml(200, Self.document(of: page.buckets, next: page.nextAfter, prefix: prefix))
    }

    private static func document(
        of buckets: [BucketInfo], next: String?, prefix: String?
    ) -> [UInt8] {
        var xml = XMLWriter(capacity: 256 + buckets.count * 128)
        xml.openRoot("ListAllMyBucketsResult")
        xml.owner(owner)
        xml.open("Buckets")
        for bucket in buckets {
            xml.open("Bucket")
            xml.element("Name", bucket.name)
            xml.element("CreationDate", ISODate.format(bucket.created))
            xml.close("Bucket")
        }
        xml.close("Buckets")
        if let prefix { xml.element("Prefix", prefix) }
        if let next { xml.element("ContinuationToken", next) }
        xml.close("ListAllMyBucketsResult")
        return xml.bytes
    }

    func createBucket(_ request: S3Request) async throws -> Reply {
        let name = try request.bucket()
        guard BucketName.isValid(name) else {
            throw S3Error(.invalidBucketName, details: [("BucketName", name)])
        }
        let document = try await request.document()
        if let wanted = try CreateBucketDocument.locationConstraint(document),
            wanted != configuration.region
        {
            throw S3Error(
                .illegalLocationConstraint,
                "The \(wanted) location constraint is incompatible for the region specific "
                    + "endpoint this request was sent to.")
        }
        _ = try await objects.createBucket(name, owner: Self.owner)
        var reply = Reply(200)
        reply.fields.append(HTTPField(name: .location, value: "/\(name)"))
        return reply
    }

    func headBucket(_ request: S3Request) async throws -> Reply {
        _ = try await objects.bucket(try request.bucket())
        var reply = Reply(200)
        reply.fields.append(HTTPField(name: .bucketRegion, value: configuration.region))
        return reply
    }

    func deleteBucket(_ request: S3Request) async throws -> Reply {
        try await objects.deleteBucket(try request.bucket())
        return Reply(204)
    }

    func bucketSetting(_ setting: BucketSetting, _ request: S3Request) async throws -> Reply {
        _ = try await objects.bucket(try request.bucket())
        return .xml(
            200, try setting.document(region: configuration.region, owner: Self.owner))
    }

    func deleteBucketSetting(_ request: S3Request) async throws -> Reply {
        _ = try await objects.bucket(try request.bucket())
        return Reply(204)
    }
}
