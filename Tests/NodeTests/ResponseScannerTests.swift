import NIOCore
import Testing

@testable import dstnode

@Suite struct ResponseScannerTests {
    private static let answers: [(text: String, isHead: Bool, expected: ResponseScanner.Response)] =
        [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false,
                .init(status: 200, bodyBytes: 5, closes: false)
            ),
            (
                "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", false,
                .init(status: 204, bodyBytes: 0, closes: true)
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n", true,
                .init(status: 200, bodyBytes: 0, closes: false)
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n10;x=y\r\n"
                    + "0123456789abcdef\r\n0\r\nx-a: b\r\n\r\n",
                false, .init(status: 200, bodyBytes: 21, closes: false)
            ),
            (
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
                false, .init(status: 403, bodyBytes: 0, closes: false)
            ),
        ]

    @Test(arguments: 0..<5)
    func `a response ends where it ends, however it is cut`(index: Int) throws {
        let (text, isHead, expected) = Self.answers[index]
        let bytes = Array(text.utf8)
        for size in 1...bytes.count {
            var scanner = ResponseScanner()
            var found: [ResponseScanner.Response] = []
            // Twice: the second response must not see the first.
            for _ in 0..<2 {
                var rest = bytes[...]
                while !rest.isEmpty {
                    var buffer = ByteBuffer(bytes: rest.prefix(size))
                    rest = rest.dropFirst(size)
                    if let response = try scanner.scan(&buffer, isHead: isHead) {
                        found.append(response)
                    }
                }
            }
            #expect(found == [expected, expected], "pieces of \(size)")
        }
    }

    @Test(arguments: ["garbage\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"])
    func `what is no response is refused`(text: String) {
        var scanner = ResponseScanner()
        var buffer = ByteBuffer(string: text)
        #expect(throws: (any Error).self) { try scanner.scan(&buffer, isHead: false) }
    }

    @Test func `numbers are written with their digits`() {
        #expect(BenchResult.fixed(12.3, 2) == "12.30")
        #expect(BenchResult.fixed(0.0456, 3) == "0.046")
        #expect(BenchResult.fixed(1999.6, 0) == "2000")
        #expect(BenchResult.fixed(.infinity, 1) == "?")
    }
}
