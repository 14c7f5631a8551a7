import Core

@testable import S3

enum S3Seeds {
    private static func text(_ lines: String...) -> [UInt8] {
        Array(lines.joined(separator: "\n").utf8)
    }

    /// Requests, some signed.
    static func heads() -> [[UInt8]] {
        let signer = SigV4Signer(
            accessKey: "AK/1", secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region: "us-east-1")
        let now = WallTime(milliseconds: 1_369_353_600_000)
        let headers = S3Headers([("host", "example.com"), ("x-amz-meta-a", "b  c")])
        var signed = S3RequestHead(
            method: "PUT", target: "/bucket/a%2Fb%20c?uploadId=x&partNumber=1", headers: headers)
        signer.sign(&signed, payload: "UNSIGNED-PAYLOAD", now: now)
        var presigned = S3RequestHead(
            method: "GET", target: "/bucket/key?versionId=null", headers: headers)
        signer.presign(&presigned, seconds: 60, now: now)
        let lines = [signed, presigned].map { head in
            "\(head.method)\n\(head.path)?\(head.query)\n"
                + head.headers.map { "\($0.name): \($0.value)" }.joined(separator: "\n")
        }
        return lines.map { Array($0.utf8) } + [
            text("GET", "/?list-type=2", "host: bucket.s3.example.com:9000"),
            text("GET", "/bucket/?prefix=a%2f&delimiter=/&max-keys=7&encoding-type=url", "host: a"),
            text("PUT", "/b/k", "x-amz-copy-source: /b/k%20?versionId=null", "host: h"),
            text("GET", "/b/k?AWSAccessKeyId=A&Signature=s&Expires=1369353700", "host: h"),
            text("POST", "/b?delete", "host: h", "x-amz-checksum-crc32c: AAAAAA==", "Date: x"),
        ]
    }

    static func bodies() -> [[UInt8]] {
        let plain = "5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\nx-amz-checksum-crc32c:AAAAAA==\r\n\r\n"
        let payload = Array("a payload of some bytes, in three chunks".utf8)
        return [
            [0, 3, 8, 0] + Array(plain.utf8), [0x80, 3, 0, 0, 9, 0, 0] + payload,
            [0x81, 4, 0, 0, 9, 0, 1] + payload, [0x82, 5, 0, 0, 200, 0, 7] + payload,
            [3, 1, 40, 0] + payload,
        ]
    }

    static func documents() -> [[UInt8]] {
        [
            text(
                "<?xml version=\"1.0\"?><Delete xmlns='n'><Quiet>true</Quiet>",
                "<Object><Key>a&amp;&#x41;</Key><ETag>\"e\"</ETag></Object></Delete>"),
            text(
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&quot;e&quot;",
                "</ETag><ChecksumCRC32C>AAAAAA==</ChecksumCRC32C></Part>",
                "</CompleteMultipartUpload>"),
            text(
                "<!-- c --><s:CreateBucketConfiguration><LocationConstraint><![CDATA[eu]]>",
                "</LocationConstraint></s:CreateBucketConfiguration>"),
            text("<a><b/><b c=\"d\">e</b></a>"),
        ]
    }

    static func values() -> [[UInt8]] {
        let token = JoinTokenSeed.text
        return [
            [0, 100, 0, 0, 0] + text("bytes=0-9"), [0, 100, 0, 0, 0] + text("bytes=-5"),
            [0x81, 1, 0, 0, 0] + text("bytes=7-"),
            [1] + text("Sun, 06 Nov 1994 08:49:37 GMT"),
            [1] + text("Sunday, 06-Nov-94 08:49:37 GMT"), [1] + text("Sun Nov  6 08:49:37 1994"),
            [1] + text("20130524T000000Z"), [2] + text("AAAAAA=="), [2] + text("AAAAAA==-3"),
            [3] + text("a%20b+c/%E2%82%AC"),
            [4] + text("if-match:\"a\", W/\"b\"", "if-modified-since:Sun Nov  6 08:49:37 1994"),
            [4] + text("if-none-match:*"),
            [5]
                + text(
                    "x-amz-content-sha256:STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                    "x-amz-decoded-content-length:5", "x-amz-trailer:x-amz-checksum-crc32c",
                    "x-amz-checksum-crc32c:AAAAAA=="),
            [5]
                + text(
                    "x-amz-content-sha256:UNSIGNED-PAYLOAD", "content-length:5",
                    "content-md5:AAAAAAAAAAAAAAAAAAAAAA=="),
            [6] + text("016b6579"), [6] + Array(token.utf8), [7] + text("my-bucket.1"),
            [8] + [UInt8](repeating: 0, count: 128) + text("key"),
        ]
    }
}

enum JoinTokenSeed {
    static let text: String = {
        var random = SeededRandom(seed: 1)
        let fingerprint = String(repeating: "ab", count: 32)
        return JoinToken(role: .storage, fingerprint: fingerprint, using: &random).text
    }()
}
