import Core
import S3
import Testing

@testable import Gateway

@Suite struct MultipartTests {
    private static let large = 5 << 20
    private let parts = [
        [UInt8](repeating: 1, count: large), [UInt8](repeating: 2, count: large), [UInt8(3), 4],
    ]

    private func begin(
        _ world: GatewayWorld, _ headers: [(String, String)] = []
    ) async throws -> String {
        _ = try await world.ask("PUT", "/bucket")
        let answer = try await world.ask("POST", "/bucket/k?uploads", headers)
        return try XMLReader.read(answer.body).text(of: "UploadId") ?? ""
    }

    private func complete(
        _ world: GatewayWorld, _ upload: String, _ tags: [(Int, String)],
        _ headers: [(String, String)] = []
    ) async throws -> RawConnection.Response {
        let list = tags.map {
            "<Part><PartNumber>\($0.0)</PartNumber><ETag>\($0.1)</ETag></Part>"
        }
        let document = "<CompleteMultipartUpload>\(list.joined())</CompleteMultipartUpload>"
        return try await world.ask(
            "POST", "/bucket/k?uploadId=\(upload)", headers, body: Array(document.utf8))
    }

    @Test func `an object in parts`() async throws {
        try await GatewayWorld.with { world in
            let upload = try await begin(world, [("content-type", "a/b"), ("x-amz-meta-x", "1")])
            var tags: [(Int, String)] = []
            for (index, part) in parts.enumerated() {
                let answer = try await world.ask(
                    "PUT", "/bucket/k?partNumber=\(index + 1)&uploadId=\(upload)", body: part)
                #expect(answer.status == 200)
                tags.append((index + 1, answer["etag"] ?? ""))
            }
            let list = try XMLReader.read(
                try await world.ask("GET", "/bucket/k?uploadId=\(upload)&max-parts=2").body)
            #expect(list.children.filter { $0.name == "Part" }.count == 2)
            #expect(list.text(of: "NextPartNumberMarker") == "2")
            let uploads = try await world.ask("GET", "/bucket?uploads")
            #expect(uploads.text.contains("<UploadId>\(upload)</UploadId>"))
            let done = try await complete(world, upload, tags)
            #expect(done.status == 200)
            #expect(try XMLReader.read(done.body).text(of: "ETag")?.hasSuffix("-3\"") == true)
            let whole = parts.flatMap { $0 }
            let get = try await world.ask("GET", "/bucket/k")
            #expect(get.body == whole && get["content-type"] == "a/b")
            let part = try await world.ask("GET", "/bucket/k?partNumber=3")
            #expect(part.status == 206 && part.body == [3, 4])
            #expect(part["x-amz-mp-parts-count"] == "3")
            let range = try await world.ask(
                "GET", "/bucket/k", [("range", "bytes=\(Self.large - 1)-\(Self.large)")])
            #expect(range.body == [1, 2])
            let gone = try await world.ask("GET", "/bucket/k?uploadId=\(upload)")
            #expect(gone.code == "NoSuchUpload")
        }
    }

    @Test func `what is wrong with parts`() async throws {
        try await GatewayWorld.with { world in
            let upload = try await begin(world)
            func put(_ number: String, _ body: [UInt8]) async throws -> RawConnection.Response {
                try await world.ask(
                    "PUT", "/bucket/k?partNumber=\(number)&uploadId=\(upload)", body: body)
            }
            let small = try await put("1", [1])["etag"] ?? ""
            let last = try await put("2", [2])["etag"] ?? ""
            for (tags, code) in [
                ([(1, small), (2, last)], "EntityTooSmall"),
                ([(1, "\"00\"")], "InvalidPart"), ([(2, last), (1, small)], "InvalidPartOrder"),
                ([(9, last)], "InvalidPart"), ([], "MalformedXML"),
            ] {
                let answer = try await complete(world, upload, tags)
                #expect(answer.status == 400 && answer.code == code)
            }
            #expect(try await put("0", [1]).code == "InvalidArgument")
            #expect(try await put("10001", [1]).code == "InvalidArgument")
            let none = try await world.ask(
                "PUT", "/bucket/k?partNumber=1&uploadId=nonsense", body: [1])
            #expect(none.status == 404 && none.code == "NoSuchUpload")
            #expect(try await world.ask("DELETE", "/bucket/k?uploadId=\(upload)").status == 204)
            #expect(try await put("1", [1]).code == "NoSuchUpload")
        }
    }

    @Test func `parts are copied, and the whole is summed`() async throws {
        try await GatewayWorld.with { world in
            let upload = try await begin(
                world,
                [
                    ("x-amz-checksum-algorithm", "CRC64NVME"),
                    ("x-amz-checksum-type", "FULL_OBJECT"),
                ])
            _ = try await world.ask("PUT", "/bucket/source", body: parts[0] + parts[2])
            var tags: [(Int, String)] = []
            for (number, range) in [(1, "bytes=0-\(Self.large - 1)"), (2, "bytes=5242880-5242881")]
            {
                let answer = try await world.ask(
                    "PUT", "/bucket/k?partNumber=\(number)&uploadId=\(upload)",
                    [
                        ("x-amz-copy-source", "/bucket/source"),
                        ("x-amz-copy-source-range", range),
                    ])
                #expect(answer.status == 200)
                tags.append((number, try XMLReader.read(answer.body).text(of: "ETag") ?? ""))
            }
            let sum = ChecksumHasher.of(parts[0] + parts[2], .crc64nvme).text
            let wrong = try await complete(
                world, upload, tags, [("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=")])
            #expect(wrong.status == 400)
            let done = try await complete(
                world, upload, tags, [("x-amz-checksum-crc64nvme", sum)])
            #expect(done.status == 200 && done.text.contains(sum))
            let head = try await world.ask(
                "HEAD", "/bucket/k", [("x-amz-checksum-mode", "ENABLED")])
            #expect(head["x-amz-checksum-crc64nvme"] == sum)
        }
    }
}
