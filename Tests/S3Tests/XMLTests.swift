import Core
import S3
import Testing

@Suite struct XMLTests {
    private func read(_ text: String) throws -> XMLElement { try XMLReader.read(Array(text.utf8)) }

    @Test func `reads what clients send`() throws {
        let root = try read(
            """
            <?xml version="1.0" encoding="UTF-8"?>
            <!-- hello --><s3:Delete xmlns:s3="http://s3.amazonaws.com/doc/2006-03-01/">
              <s3:Object><Key>a &amp; b&#x20;&#33;<![CDATA[<c>]]></Key></s3:Object><Quiet/>
            </s3:Delete>
            """)
        #expect(root.name == "Delete")
        #expect(root.child("Object")?.text(of: "Key") == "a & b !<c>")
        #expect(root.child("Quiet") != nil)
    }

    @Test(arguments: [
        "", "<", "<a>", "<a></b>", "<a/><b/>", "text", "<a b></a>", "<a>&foo;</a>", "<a>&#0;</a>",
        "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "<a><?php ?></a>", "<a>&amp</a>",
        "<a b=\"<\"/>", "<a", "<a/", "</a>", "<a><!-- </a>", "<a><![CDATA[ </a>", "<1 / >x",
        "<a>&#xD800;</a>",
    ]) func `refuses what is not well-formed or not safe`(text: String) {
        #expect(code { _ = try read(text) } == .malformedXML)
    }

    @Test func `depth and size are limited`() {
        let deep = String(repeating: "<a>", count: 17) + String(repeating: "</a>", count: 17)
        #expect(code { _ = try read(deep) } == .malformedXML)
        let many = "<a>" + String(repeating: "<b/>", count: S3Limits.xmlElementsMax) + "</a>"
        #expect(code { _ = try read(many) } == .malformedXML)
        #expect(
            code { _ = try XMLReader.read([UInt8](repeating: 32, count: S3Limits.xmlBytesMax + 1)) }
                == .malformedXML)
        #expect(code { _ = try XMLReader.read([0x3C, 0xFF, 0x3E]) } == .malformedXML)
    }

    @Test func `what does not matter is checked and dropped`() throws {
        let text = "<a><x>1<b>2</b></x><c><b>3</b><y><![CDATA[<]]></y></c></a>"
        let root = try XMLReader.read(Array(text.utf8), keeping: ["b", "c"])
        #expect(root.children.map(\.name) == ["c"])
        #expect(root.child("c")?.children.map(\.text) == ["3"])
        let broken = "<a><x>1<b>2</x></a>"
        #expect(
            code { _ = try XMLReader.read(Array(broken.utf8), keeping: ["b"]) } == .malformedXML)
        let bounds = XMLReader.Bounds(bytesMax: 100, elementsMax: 2)
        #expect(code { _ = try XMLReader.read(Array(text.utf8), within: bounds) } == .malformedXML)
    }

    @Test(arguments: 0..<300 as Range<UInt64>)
    func `no bytes crash the reader`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let parts = [
            "<", ">", "a", "</a>", "<a>", "&", ";", "#x", "\"", "=", "/", "<!--", "-->", " ",
        ]
        let text = (0..<40).map { _ in parts.randomElement(using: &random)! }.joined()
        _ = try? read(text)
    }

    @Test func `what the writer writes the reader reads`() throws {
        var xml = XMLWriter()
        xml.openRoot("A")
        xml.element("B", "<>&\"'\r\n\u{e9}")
        xml.element("C", 5)
        xml.element("D", true)
        xml.close("A")
        let root = try XMLReader.read(xml.bytes)
        #expect(root.text(of: "B") == "<>&\"'\r\n\u{e9}")
        #expect(root.text(of: "C") == "5" && root.text(of: "D") == "true")
    }

    @Test func `the documents of requests`() throws {
        func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
        #expect(try CreateBucketDocument.locationConstraint([]) == nil)
        #expect(
            try CreateBucketDocument.locationConstraint(
                bytes(
                    "<CreateBucketConfiguration><LocationConstraint>eu</LocationConstraint>"
                        + "</CreateBucketConfiguration>")) == "eu")
        let delete = try DeleteDocument(
            bytes(
                "<Delete><Quiet>true</Quiet><Object><Key>a</Key></Object>"
                    + "<Object><Key>b</Key><VersionId>null</VersionId></Object></Delete>"))
        #expect(delete.isQuiet && delete.entries.map(\.key) == [[97], [98]])
        let complete = try CompleteDocument(
            bytes(
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\"x\"</ETag>"
                    + "<ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></Part><Part><ETag>&quot;y&quot;</ETag>"
                    + "<PartNumber>7</PartNumber></Part></CompleteMultipartUpload>"))
        #expect(complete.parts.map(\.number) == [1, 7])
        #expect(complete.parts.map(\.etag) == ["x", "y"])
        #expect(complete.parts[0].checksum?.algorithm == .crc32)
    }

    @Test(arguments: [
        ("<CompleteMultipartUpload/>", S3ErrorCode.malformedXML),
        ("<CompleteMultipartUpload><Part/></CompleteMultipartUpload>", .malformedXML),
        (
            "<CompleteMultipartUpload><Part><PartNumber>2</PartNumber><ETag>a</ETag></Part>"
                + "<Part><PartNumber>1</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>",
            .invalidPartOrder
        ),
        (
            "<CompleteMultipartUpload><Part><PartNumber>0</PartNumber><ETag>a</ETag></Part>"
                + "</CompleteMultipartUpload>", .invalidArgument
        ),
    ]) func `bad lists of parts`(text: String, expected: S3ErrorCode) {
        #expect(code { _ = try CompleteDocument(Array(text.utf8)) } == expected)
    }

    @Test func `bad deletes`() {
        func result(_ text: String) -> S3ErrorCode? {
            code { _ = try DeleteDocument(Array("<Delete>\(text)</Delete>".utf8)) }
        }
        #expect(result("") == .malformedXML)
        #expect(result("<Object/>") == .malformedXML)
        #expect(
            result(String(repeating: "<Object><Key>a</Key></Object>", count: 1001)) == .malformedXML
        )
        #expect(
            result("<Object><Key>a</Key><VersionId>1</VersionId></Object>") == .notImplemented)
    }
}
