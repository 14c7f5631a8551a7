import Core
import S3
import Testing

@Suite struct FormatTests {
    @Test func `limits agree with each other`() { S3Limits.check() }

    @Test func `dates are read in all formats of RFC 9110`() {
        let moment = WallTime(milliseconds: 784_111_777_000)
        #expect(HTTPDate.format(moment) == "Sun, 06 Nov 1994 08:49:37 GMT")
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] { #expect(HTTPDate.parse(text) == moment, "\(text)") }
        for text in [
            "", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT", "yesterday",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
        ] { #expect(HTTPDate.parse(text) == nil, "\(text)") }
        #expect(
            ISODate.format(WallTime(milliseconds: 784_111_777_042))
                == "1994-11-06T08:49:37.042Z")
        #expect(ISODate.formatBasic(moment) == "19941106T084937Z")
        #expect(ISODate.parseBasic("19941106T084937Z") == moment)
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `dates come back`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let time = WallTime(
            milliseconds: Int64.random(in: -62_000_000_000...250_000_000_000, using: &random) * 1000
        )
        #expect(HTTPDate.parse(HTTPDate.format(time)) == time)
        #expect(ISODate.parseBasic(ISODate.formatBasic(time)) == time)
    }

    @Test func `ranges`() throws {
        func range(_ text: String, _ size: Int) throws -> Range<Int>? {
            try RangeHeader(text)?.resolve(size: size)
        }
        #expect(try range("bytes=0-9", 100) == 0..<10)
        #expect(try range("bytes=90-", 100) == 90..<100)
        #expect(try range("bytes=90-1000", 100) == 90..<100)
        #expect(try range("bytes=-10", 100) == 90..<100)
        #expect(try range("bytes=-1000", 100) == 0..<100)
        #expect(try range("bytes=5-99999999999999999999", 100) == 5..<100)
        for text in ["bytes=100-", "bytes=-0", "bytes=100-200"] {
            #expect(code { _ = try range(text, 100) } == .invalidRange)
        }
        #expect(code { _ = try range("bytes=0-", 0) } == .invalidRange)
        for text in ["items=0-1", "bytes=", "bytes=a-b", "bytes=9-1", "bytes=0-1,3-4", "bytes=-"] {
            #expect(RangeHeader(text) == nil, "\(text)")
        }
        #expect(RangeHeader.contentRange(0..<10, size: 100) == "bytes 0-9/100")
    }

    @Test(arguments: [
        "abc", "my.bucket-1", "000", "a1b",
    ]) func `good bucket names`(name: String) { #expect(BucketName.isValid(name)) }

    @Test(arguments: [
        "", "ab", "Abc", "a_b", "-ab", "ab-", ".ab", "a..b", "192.168.5.4", "xn--abc",
        "abc-s3alias", "a/b", "bücket", String(repeating: "a", count: 64), "-",
    ]) func `bad bucket names`(name: String) { #expect(!BucketName.isValid(name)) }

    @Test func `copy sources`() throws {
        #expect(try CopySource("/b/k").bucket == "b")
        #expect(try CopySource("b/a%2Bb%20c").key == Array("a+b c".utf8))
        #expect(try CopySource("b%2Fa/b?versionId=null").key == Array("a/b".utf8))
        #expect(try CopySource("b/a+b").key == Array("a+b".utf8))
        for text in ["", "b", "/b/", "/", "b/%zz"] {
            #expect(code { _ = try CopySource(text) } == .invalidArgument, "\(text)")
        }
        #expect(code { _ = try CopySource("b/k?versionId=1") } == .notImplemented)
        #expect(try CopySource.range("bytes=0-9") == .between(0, 9))
        #expect(code { _ = try CopySource.range("bytes=0-") } == .invalidArgument)
    }

    @Test func `tags lose their quotes whatever is inside`() {
        for tag in ["abc", "", "\u{301}a", "a\"", "\r\n"] {
            #expect(ETag.withoutQuotes(ETag.quoted(tag)).utf8.elementsEqual(tag.utf8))
        }
        for text in ["\"", "abc", "\"abc", "abc\""] {
            #expect(ETag.withoutQuotes(text).utf8.elementsEqual(text.utf8))
        }
    }

    @Test func `conditions`() throws {
        let read = ReadConditionHeaders(
            S3Headers([
                ("If-Match", "\"a\", W/\"b\",c"), ("If-None-Match", "*"),
                ("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"),
                ("If-Unmodified-Since", "soon"),
            ]))
        #expect(read.ifMatch == ["a", "b", "c"] && read.ifNoneMatch == ["*"])
        #expect(read.ifModifiedSince != nil && read.ifUnmodifiedSince == nil)
        let write = try WriteConditionHeaders(S3Headers([("if-none-match", "*")]))
        #expect(write.isCreateOnly)
        #expect(try WriteConditionHeaders(S3Headers([("if-match", "\"x\"")])).ifMatch == "x")
        #expect(
            code { _ = try WriteConditionHeaders(S3Headers([("if-none-match", "\"x\"")])) }
                == .notImplemented)
    }

    @Test func `every code has a status and words`() {
        for code in S3ErrorCode.allCases {
            #expect((304...503).contains(code.status) && !code.message.isEmpty)
        }
        let document = S3Error(.noSuchKey).document(resource: "/b/<k>&", requestID: "1")
        #expect(
            String(decoding: document, as: UTF8.self)
                == "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code>"
                + "<Message>The specified key does not exist.</Message>"
                + "<Resource>/b/&lt;k&gt;&amp;</Resource><RequestId>1</RequestId></Error>")
    }
}
