import Core
import S3
import Testing

@Suite struct SigV4Tests {
    private func signature(_ head: S3RequestHead, payload: String) -> String? {
        var head = head
        Example.signer.sign(&head, payload: payload, now: Example.now)
        return head.headers["authorization"]?.split(separator: "=").last.map(String.init)
    }

    @Test func `signs the examples of the documentation`() {
        let get = Example.head("GET", "/test.txt", [("Range", "bytes=0-9")])
        #expect(
            signature(get, payload: Example.emptyHash)
                == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
        let put = Example.head(
            "PUT", "/test$file.text",
            [
                ("Date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ])
        #expect(
            signature(
                put, payload: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072")
                == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
        #expect(
            signature(Example.head("GET", "/?lifecycle"), payload: Example.emptyHash)
                == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
        #expect(
            signature(Example.head("GET", "/?max-keys=2&prefix=J"), payload: Example.emptyHash)
                == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    }

    @Test func `presigns the example of the documentation`() throws {
        var head = Example.head("GET", "/test.txt")
        Example.signer.presign(&head, seconds: 86400, now: Example.now)
        #expect(
            head.query.hasSuffix(
                "&X-Amz-Signature="
                    + "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"))
        let proof = try Example.verify(head)
        #expect(proof.accessKey == Example.accessKey)
        #expect(proof.payload == .unsigned)
    }

    @Test func `a presigned request lives as long as it says`() throws {
        var head = Example.head("GET", "/test.txt")
        Example.signer.presign(&head, seconds: 60, now: Example.now)
        _ = try Example.verify(head, now: Example.later(60))
        #expect(code { _ = try Example.verify(head, now: Example.later(61)) } == .accessDenied)
        #expect(code { _ = try Example.verify(head, now: Example.later(-1000)) } == .accessDenied)
        Example.signer.presign(&head, seconds: 604_801, now: Example.now)
        var long = Example.head("GET", "/test.txt")
        Example.signer.presign(&long, seconds: 604_801, now: Example.now)
        #expect(
            code { _ = try Example.verify(long) } == .authorizationQueryParametersError)
    }

    @Test(arguments: [
        "/a%252Fb", "/a//b", "/a/../b", "/a+b", "/a%2Bb", "/~x", "/%7Ex", "/a%20b", "/%e2%82%ac",
        "/a?prefix=a%2Fb&delimiter=/", "/?prefix=a+b&empty=&flag", "/?b=2&b=1&a=%7E",
        "/a=b:c@d,e;f'g(h)!$&*", "/?marker=%2B", "/a%2Fb",
    ])
    func `verifies what clients send`(target: String) throws {
        var head = Example.head("GET", target, [("x-amz-meta-a", "  two   spaces  ")])
        Example.signer.sign(&head, payload: Example.emptyHash, now: Example.now)
        _ = try Example.verify(head)
    }

    @Test func `a client may sign a slash in a key as it sent it`() throws {
        // Canonical path `/a%2Fb`, as a strict reading gives it.
        var head = Example.head("GET", "/a%252Fb")
        Example.signer.sign(&head, payload: Example.emptyHash, now: Example.now)
        head.path = "/a%252Fb"
        _ = try Example.verify(head)
        head.path = "/a%2Fb"
        #expect(code { _ = try Example.verify(head) } == .signatureDoesNotMatch)
    }

    @Test func `duplicate headers are signed together`() throws {
        var head = Example.head(
            "PUT", "/a", [("x-amz-meta-a", "1"), ("x-amz-meta-b", "x"), ("X-Amz-Meta-A", " 2 ")])
        Example.signer.sign(&head, payload: "UNSIGNED-PAYLOAD", now: Example.now)
        _ = try Example.verify(head)
    }

    @Test func `every change breaks the signature`() throws {
        var head = Example.head("GET", "/a/b?prefix=x", [("x-amz-meta-a", "1")])
        Example.signer.sign(&head, payload: Example.emptyHash, now: Example.now)
        _ = try Example.verify(head)
        for change in 0..<4 {
            var changed = head
            switch change {
            case 0: changed.method = "PUT"
            case 1: changed.path = "/a/c"
            case 2: changed.query = "prefix=y"
            default: changed.headers.append("x-amz-meta-a", "2")
            }
            #expect(code { _ = try Example.verify(changed) } == .signatureDoesNotMatch)
        }
        #expect(code { _ = try Example.verify(head, secret: "no") } == .signatureDoesNotMatch)
    }

    @Test func `refuses clocks and regions that are too far`() throws {
        var head = Example.head("GET", "/a")
        Example.signer.sign(&head, payload: Example.emptyHash, now: Example.now)
        _ = try Example.verify(head, now: Example.later(900))
        for seconds in [Int64(901), -901] {
            #expect(
                code { _ = try Example.verify(head, now: Example.later(seconds)) }
                    == .requestTimeTooSkewed)
        }
        #expect(
            code { _ = try Example.verify(head, region: "eu-west-1") }
                == .authorizationHeaderMalformed)
    }

    @Test func `refuses headers that nobody signed`() {
        var head = Example.head("PUT", "/a")
        Example.signer.sign(&head, payload: "UNSIGNED-PAYLOAD", now: Example.now)
        head.headers.append("x-amz-acl", "public-read")
        #expect(code { _ = try Example.verify(head) } == .accessDenied)
    }

    @Test(arguments: [
        ("AWS AKIA:sig", S3ErrorCode.invalidRequest),
        ("AWS4-HMAC-SHA256", .authorizationHeaderMalformed),
        (
            "AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0",
            .authorizationHeaderMalformed
        ),
        (
            "AWS4-HMAC-SHA256 Credential=A/20130524/us-east-1/ec2/aws4_request,"
                + "SignedHeaders=host,Signature=0", .authorizationHeaderMalformed
        ),
        (
            "AWS4-HMAC-SHA256 Credential=A/20130525/us-east-1/s3/aws4_request,"
                + "SignedHeaders=host,Signature=0", .authorizationHeaderMalformed
        ),
        ("Basic abc", .invalidRequest),
    ])
    func `names what is wrong with an authorization`(text: String, expected: S3ErrorCode) {
        let head = Example.head(
            "GET", "/",
            [
                ("authorization", text), ("x-amz-date", "20130524T000000Z"),
                ("x-amz-content-sha256", Example.emptyHash),
            ])
        #expect(code { _ = try Example.verify(head) } == expected)
    }

    @Test func `a request without any signature has no claim`() throws {
        let head = Example.head("GET", "/a?x-id=GetObject")
        let claim = try SigV4Claim.parse(head, query: S3Query(head.query))
        #expect(claim?.accessKey == nil)
    }

    @Test func `a URL presigned with version 2 opens one object for a while`() throws {
        // The example of the User Guide, "Query string request authentication alternative".
        let head = S3RequestHead(
            method: "GET", target: "/photos/puppy.jpg",
            headers: S3Headers([("host", "johnsmith.s3.amazonaws.com")]))
        var signed = S3RequestHead(
            method: "GET",
            target: "/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE"
                + "&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620",
            headers: head.headers)
        func verify(_ seconds: Int64) throws -> SigV4Proof? {
            try SigV2Claim.parse(signed, query: S3Query(signed.query))?.verify(
                signed, bucketOfHost: "johnsmith", secret: Example.secret,
                now: WallTime(milliseconds: seconds * 1000))
        }
        let proof = try verify(1_175_139_620)
        #expect(proof?.payload == .unsigned)
        #expect(code { _ = try verify(1_175_139_621) } == .accessDenied)
        #expect(code { _ = try verify(1_174_000_000) } == .accessDenied)
        signed.path = "/photos/kitten.jpg"
        #expect(code { _ = try verify(1_175_139_620) } == .signatureDoesNotMatch)
        signed.headers.append("authorization", "AWS4-HMAC-SHA256")
        let unclaimed = try verify(1_175_139_620)
        #expect(unclaimed?.accessKey == nil)
        #expect(SigV2Claim.allows(.getObject) && !SigV2Claim.allows(.deleteObject))
    }

    /// So that who presigns a list is told what is wrong: that it can't be, not the signature.
    @Test func `a bucket that was signed with a slash at its end is the same`() throws {
        func signed(_ path: String, sent: String) throws -> SigV4Proof? {
            var head = S3RequestHead(
                method: "GET", target: path, headers: S3Headers([("host", "localhost")]))
            let query = SigV2Claim.presign(
                head, accessKey: Example.accessKey, secret: Example.secret, expires: 100)
            head = S3RequestHead(
                method: "GET", target: sent + "?" + query, headers: head.headers)
            return try SigV2Claim.parse(head, query: S3Query(head.query))?.verify(
                head, bucketOfHost: nil, secret: Example.secret,
                now: WallTime(milliseconds: 50_000))
        }
        #expect(try signed("/mine/", sent: "/mine") != nil)
        #expect(try signed("/mine", sent: "/mine") != nil)
        #expect(code { _ = try signed("/mine/", sent: "/other") } == .signatureDoesNotMatch)
        #expect(code { _ = try signed("/mine/k/", sent: "/mine/k") } == .signatureDoesNotMatch)
    }
}
