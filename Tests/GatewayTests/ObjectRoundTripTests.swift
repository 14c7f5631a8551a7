import Core
import S3
import Testing

@testable import Gateway

@Suite struct ObjectRoundTripTests {
    private static let sizes = [0, 1, 5000, 9000, 65_536, 200_000, 8 << 20, (8 << 20) + 1]

    private func pattern(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
    }

    @Test(arguments: sizes)
    func `what goes in comes out`(size: Int) async throws {
        try await GatewayWorld.with { world in
            #expect(try await world.ask("PUT", "/bucket").status == 200)
            let body = pattern(size)
            let put = try await world.ask(
                "PUT", "/bucket/a/b%20c?x-id=PutObject",
                [
                    ("content-type", "text/plain"), ("x-amz-meta-Colour", "red"),
                    ("cache-control", "no-cache"), ("content-encoding", "gzip"),
                ], body: body)
            let etag = "\"\(Hex.encode(Digest.of(body, .md5)))\""
            #expect(put.status == 200 && put["etag"] == etag)
            let get = try await world.ask("GET", "/bucket/a/b%20c")
            #expect(get.status == 200)
            #expect(get.body == body)
            #expect(get["content-length"] == "\(size)" && get["etag"] == etag)
            #expect(get["content-type"] == "text/plain" && get["x-amz-meta-colour"] == "red")
            #expect(get["accept-ranges"] == "bytes" && get["content-encoding"] == "gzip")
            #expect(get["last-modified"].flatMap(HTTPDate.parse) != nil)
            #expect(get["x-amz-request-id"]?.count == 16)
            let head = try await world.ask("HEAD", "/bucket/a/b%20c")
            #expect(head.status == 200 && head["content-length"] == "\(size)")
            #expect(head["etag"] == etag)
            #expect(try await world.ask("DELETE", "/bucket/a/b%20c").status == 204)
            #expect(try await world.ask("GET", "/bucket/a/b%20c").code == "NoSuchKey")
        }
    }

    @Test func `one connection serves many requests, also sent at once`() async throws {
        try await GatewayWorld.with { world in
            let connection = try await RawConnection.open(world.port)
            try await connection.send(world.request("PUT", "/bucket"))
            #expect(try await connection.response().status == 200)
            var bytes: [UInt8] = []
            for index in 0..<20 {
                bytes += world.request("PUT", "/bucket/\(index)", body: pattern(index * 1000))
                bytes += world.request("HEAD", "/bucket/\(index)")
                bytes += world.request("GET", "/bucket/\(index)")
            }
            try await connection.send(bytes)
            for index in 0..<20 {
                #expect(try await connection.response().status == 200)
                let head = try await connection.response(to: "HEAD")
                #expect(head["content-length"] == "\(index * 1000)")
                #expect(try await connection.response().body == pattern(index * 1000))
            }
        }
    }

    @Test func `ranges`() async throws {
        try await GatewayWorld.with { world in
            _ = try await world.ask("PUT", "/bucket")
            let body = pattern(150_000)
            _ = try await world.ask("PUT", "/bucket/k", body: body)
            for (text, range) in [
                ("bytes=0-0", 0..<1), ("bytes=65530-65545", 65530..<65546),
                ("bytes=149999-", 149_999..<150_000), ("bytes=-10", 149_990..<150_000),
                ("bytes=100-999999", 100..<150_000),
            ] {
                let get = try await world.ask("GET", "/bucket/k", [("range", text)])
                #expect(get.status == 206 && get.body == Array(body[range]), "\(text)")
                #expect(
                    get["content-range"]
                        == "bytes \(range.lowerBound)-\(range.upperBound - 1)/150000")
                let head = try await world.ask("HEAD", "/bucket/k", [("range", text)])
                #expect(head.status == 206 && head["content-length"] == "\(range.count)")
            }
            let beyond = try await world.ask("GET", "/bucket/k", [("range", "bytes=150000-")])
            #expect(beyond.status == 416 && beyond.code == "InvalidRange")
            #expect(beyond["content-range"] == "bytes */150000")
            let several = try await world.ask("GET", "/bucket/k", [("range", "bytes=0-1,4-5")])
            #expect(several.status == 200 && several.body == body)
        }
    }

    @Test func `conditions on reads and writes`() async throws {
        try await GatewayWorld.with { world in
            _ = try await world.ask("PUT", "/bucket")
            let put = try await world.ask("PUT", "/bucket/k", body: [1, 2, 3])
            let etag = put["etag"] ?? ""
            let same = try await world.ask("GET", "/bucket/k", [("if-none-match", etag)])
            #expect(same.status == 304 && same["etag"] == etag && same.body.isEmpty)
            let other = try await world.ask("GET", "/bucket/k", [("if-match", "\"no\"")])
            #expect(other.status == 412 && other.code == "PreconditionFailed")
            let head = try await world.ask("HEAD", "/bucket/k", [("if-match", "\"no\"")])
            #expect(head.status == 412)
            let again = try await world.ask(
                "PUT", "/bucket/k", [("if-none-match", "*")], body: [4])
            #expect(again.status == 412)
            let changed = try await world.ask("PUT", "/bucket/k", [("if-match", etag)], body: [4])
            #expect(changed.status == 200)
            #expect(try await world.ask("GET", "/bucket/k").body == [4])
        }
    }

    @Test func `answers are changed as the reader wishes`() async throws {
        try await GatewayWorld.with { world in
            _ = try await world.ask("PUT", "/bucket")
            _ = try await world.ask("PUT", "/bucket/k", body: [1])
            let get = try await world.ask(
                "GET",
                "/bucket/k?response-content-type=a%2Fb&response-content-disposition=attachment")
            #expect(get["content-type"] == "a/b" && get["content-disposition"] == "attachment")
        }
    }

    @Test func `copies`() async throws {
        try await GatewayWorld.with { world in
            _ = try await world.ask("PUT", "/bucket")
            let body = pattern(100_000)
            _ = try await world.ask("PUT", "/bucket/a%20b", [("x-amz-meta-x", "1")], body: body)
            let copy = try await world.ask(
                "PUT", "/bucket/c", [("x-amz-copy-source", "/bucket/a%20b")])
            #expect(copy.status == 200 && copy.text.contains("<CopyObjectResult"))
            let get = try await world.ask("GET", "/bucket/c")
            #expect(get.body == body && get["x-amz-meta-x"] == "1")
            let itself = try await world.ask(
                "PUT", "/bucket/c", [("x-amz-copy-source", "bucket/c")])
            #expect(itself.status == 400 && itself.code == "InvalidRequest")
            let replaced = try await world.ask(
                "PUT", "/bucket/c",
                [
                    ("x-amz-copy-source", "bucket/c"), ("x-amz-metadata-directive", "REPLACE"),
                    ("x-amz-meta-x", "2"),
                ])
            #expect(replaced.status == 200)
            #expect(try await world.ask("HEAD", "/bucket/c")["x-amz-meta-x"] == "2")
        }
    }
}
