import Core
import S3
import Testing

@Suite struct ServiceSigningTests {
    /// The signature is the one that botocore's `SigV4Auth` makes of the same request.
    @Test func `other services than S3 are signed for`() {
        var head = S3RequestHead(
            method: "POST", target: "/",
            headers: S3Headers([
                ("host", "ec2.us-east-1.amazonaws.com"),
                ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
            ]))
        let body = Array("Action=DescribeInstances&Version=2016-11-15".utf8)
        let signer = SigV4Signer(
            accessKey: Example.accessKey, secret: Example.secret, region: Example.region,
            service: "ec2")
        signer.sign(
            &head, payload: Hex.encode(Digest.of(body, .sha256)), now: Example.now)
        let authorization = head.headers["authorization"]
        #expect(
            authorization?.hasPrefix(
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/ec2/"
                    + "aws4_request, SignedHeaders=content-type;host;x-amz-content-sha256;"
                    + "x-amz-date, Signature=") == true)
        #expect(
            authorization?.suffix(64)
                == "9f1e2a70790802540ee024ef3aa813cd8151cb4a9ada5c70da87821300edd03a")
    }
}
