import Core
import S3
import Testing

@Suite struct OperationTests {
    private func operation(
        _ method: String, _ target: String, _ headers: [(String, String)] = [],
        host: String = "localhost:9000", domain: String = ""
    ) throws -> S3Operation {
        let head = Example.head(method, target, host: host, headers)
        let named = try S3Target(path: head.path, host: host, domain: domain)
        return S3Operation.of(head, target: named, query: try S3Query(head.query))
    }

    @Test(arguments: [
        ("GET", "/", S3Operation.listBuckets), ("GET", "/?x-id=ListBuckets", .listBuckets),
        ("PUT", "/b", .createBucket), ("PUT", "/b/", .createBucket), ("HEAD", "/b", .headBucket),
        ("DELETE", "/b", .deleteBucket), ("GET", "/b", .listObjects),
        ("GET", "/b?prefix=a&list-type=2", .listObjectsV2),
        ("GET", "/b?uploads", .listMultipartUploads),
        ("GET", "/b?location", .getBucketSetting(.location)),
        ("GET", "/b/?versioning", .getBucketSetting(.versioning)),
        ("PUT", "/b?versioning", .notImplemented("PUT ?versioning")),
        ("DELETE", "/b?policy", .deleteBucketSetting(.policy)),
        ("GET", "/b?versions", .notImplemented("GET ?versions")),
        ("POST", "/b?delete", .deleteObjects), ("POST", "/b?delete=", .deleteObjects),
        ("POST", "/b", .notImplemented("POST Object")), ("GET", "/b/k", .getObject),
        ("GET", "/b/k?x-id=GetObject", .getObject), ("HEAD", "/b/k", .headObject),
        ("PUT", "/b/k", .putObject), ("DELETE", "/b/k", .deleteObject),
        ("PUT", "/b/k?partNumber=1&uploadId=x", .uploadPart),
        ("POST", "/b/k?uploads", .createMultipartUpload),
        ("POST", "/b/k?uploadId=x", .completeMultipartUpload),
        ("DELETE", "/b/k?uploadId=x", .abortMultipartUpload),
        ("GET", "/b/k?uploadId=x", .listParts), ("GET", "/b/k?acl", .getObjectACL),
        ("PUT", "/b/k?acl", .notImplemented("PUT ?acl")),
        ("PUT", "/b/k?tagging", .notImplemented("PUT ?tagging")),
        ("GET", "/b/k?attributes", .notImplemented("GET ?attributes")),
        ("PATCH", "/b/k", .methodNotAllowed), ("POST", "/", .methodNotAllowed),
    ]) func `routes`(method: String, target: String, expected: S3Operation) throws {
        #expect(try operation(method, target) == expected)
    }

    @Test func `a copy is a put with a source`() throws {
        let source = [("x-amz-copy-source", "/a/b")]
        #expect(try operation("PUT", "/b/k", source) == .copyObject)
        #expect(
            try operation("PUT", "/b/k?partNumber=1&uploadId=x", source) == .uploadPartCopy)
    }

    @Test func `targets in both styles`() throws {
        func target(_ path: String, _ host: String) throws -> S3Target {
            try S3Target(path: path, host: host, domain: "s3.example.com")
        }
        let key = Array("a/b".utf8)
        #expect(try target("/b/a/b", "s3.example.com") == S3Target(bucket: "b", key: key))
        #expect(try target("/a/b", "b.S3.example.com:9000") == S3Target(bucket: "b", key: key))
        #expect(try target("/", "my.b.s3.example.com") == S3Target(bucket: "my.b", key: nil))
        #expect(try target("/", "s3.example.com") == S3Target(bucket: nil, key: nil))
        #expect(try target("/b/", "localhost") == S3Target(bucket: "b", key: nil))
        #expect(
            try target("/b//a%2Bb+c", "x") == S3Target(bucket: "b", key: Array("/a+b+c".utf8)))
        #expect(code { _ = try target("/b/%ff", "x") } == .invalidURI)
        #expect(code { _ = try target("/b/%f", "x") } == .invalidURI)
        #expect(code { _ = try target("//a", "x") } == .invalidBucketName)
        let long = String(repeating: "a", count: 1025)
        #expect(code { _ = try target("/b/\(long)", "x") } == .keyTooLong)
    }

    @Test(arguments: [
        "x-amz-acl: public-read", "x-amz-grant-read: id=1", "x-amz-tagging: a=b",
        "x-amz-server-side-encryption: aws:kms", "x-amz-storage-class: GLACIER",
        "x-amz-server-side-encryption-customer-algorithm: AES256",
        "x-amz-object-lock-mode: GOVERNANCE", "x-amz-website-redirect-location: /x",
        "x-amz-mfa: 1", "x-amz-something-new: 1", "x-amz-write-offset-bytes: 5",
    ]) func `asks for something that is not built`(header: String) {
        let parts = header.split(separator: ":", maxSplits: 1)
        let headers = S3Headers([(String(parts[0]), String(parts[1].dropFirst()))])
        #expect(code { try HeaderRules.check(headers) } == .notImplemented)
    }

    @Test(arguments: [
        "x-amz-acl: private", "x-amz-storage-class: STANDARD", "x-amz-meta-x: y",
        "x-amz-server-side-encryption: AES256", "x-amz-checksum-crc32: x", "content-type: a/b",
    ]) func `asks for no more than there is`(header: String) throws {
        let parts = header.split(separator: ":", maxSplits: 1)
        try HeaderRules.check(S3Headers([(String(parts[0]), String(parts[1].dropFirst()))]))
    }

    @Test func `sizes are limited`() {
        func result(_ name: String, _ count: Int) -> S3ErrorCode? {
            let value = String(repeating: "x", count: count)
            return code { try HeaderRules.checkSizes(Example.head("GET", "/", [(name, value)])) }
        }
        #expect(result("x-amz-meta-a", 2047) == nil)
        #expect(result("x-amz-meta-a", 2048) == .metadataTooLarge)
        #expect(result("cookie", 17000) == .requestHeaderSectionTooLarge)
    }

    @Test func `a bucket's settings are S3's defaults`() throws {
        func text(_ setting: BucketSetting, _ region: String = "us-east-1") throws -> String {
            String(decoding: try setting.document(region: region, owner: "me"), as: UTF8.self)
        }
        #expect(try text(.location).contains("></LocationConstraint>"))
        #expect(try text(.location, "eu-west-1").contains(">eu-west-1</LocationConstraint>"))
        #expect(try text(.versioning).contains("<VersioningConfiguration"))
        #expect(try text(.acl).contains("FULL_CONTROL"))
        #expect(code { _ = try text(.policy) } == .noSuchBucketPolicy)
        for setting in BucketSetting.allCases { _ = try? text(setting) }
    }

    @Test func `parameters of listings`() throws {
        let list = try ListParameters(
            S3Query("prefix=a%2Bb+c&delimiter=%2F&max-keys=5000&encoding-type=url"),
            limitName: "max-keys")
        #expect(list.prefix == "a+b c" && list.delimiter == "/" && list.limit == 1000)
        #expect(list.shown("a b/ü".utf8) == Array("a%20b/%C3%BC".utf8))
        for query in ["max-keys=-1", "max-keys=x", "encoding-type=base64"] {
            #expect(
                code { _ = try ListParameters(S3Query(query), limitName: "max-keys") }
                    == .invalidArgument)
        }
        #expect(code { _ = try S3Query("a=%zz") } == .invalidURI)
        let many = String(repeating: "a&", count: 101)
        #expect(code { _ = try S3Query(many) } == .invalidURI)
    }
}
