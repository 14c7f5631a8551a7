import Core
import S3
import Testing

@testable import Gateway

/// Bodies in S3's own framing, checksums, presigned requests.
@Suite struct StreamingTests {
    private let body = (0..<150_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }

    /// A PUT whose body is framed in chunks of 64 KiB.
    private func put(
        _ world: GatewayWorld, _ target: String, mode: String, trailer: (String, String)? = nil,
        damage: (inout [UInt8]) -> Void = { _ in }
    ) async throws -> RawConnection.Response {
        var head = S3RequestHead(
            method: "PUT", target: target,
            headers: S3Headers([
                ("host", "localhost"), ("content-encoding", "aws-chunked"),
                ("x-amz-decoded-content-length", "\(body.count)"),
            ]))
        if let trailer { head.headers.append("x-amz-trailer", trailer.0) }
        let signing = world.signer.sign(&head, payload: mode, now: SystemClocks().wall)
        var encoder = ChunkedBodyEncoder(mode: try PayloadMode(mode), signing: signing)
        var framed: [UInt8] = []
        for start in stride(from: 0, to: body.count, by: 65536) {
            framed += encoder.chunk(Array(body[start..<min(start + 65536, body.count)]))
        }
        framed += encoder.end(trailers: trailer.map { [(name: $0.0, value: $0.1)] } ?? [])
        damage(&framed)
        let connection = try await RawConnection.open(world.port)
        try await connection.send(GatewayWorld.bytes(head, body: framed))
        return try await connection.response()
    }

    @Test(arguments: ChecksumAlgorithm.allCases)
    func `every framing with every checksum`(algorithm: ChecksumAlgorithm) async throws {
        try await GatewayWorld.with { world in
            _ = try await world.ask("PUT", "/bucket")
            let sum = ChecksumHasher.of(body, algorithm).text
            for mode in [
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            ] {
                let answer = try await put(
                    world, "/bucket/k", mode: mode, trailer: (algorithm.headerName, sum))
                #expect(answer.status == 200 && answer[algorithm.headerName] == sum, "\(mode)")
            }
            let get = try await world.ask("GET", "/bucket/k", [("x-amz-checksum-mode", "ENABLED")])
            #expect(get.body == body && get[algorithm.headerName] == sum)
            #expect(get["x-amz-checksum-type"] == "FULL_OBJECT")
            #expect(get["content-encoding"] == nil)
            let plain = try await world.ask("GET", "/bucket/k")
            #expect(plain[algorithm.headerName] == nil)
            let wrong = try await put(
                world, "/bucket/wrong", mode: "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
                trailer: (algorithm.headerName, ChecksumHasher.of([1], algorithm).text))
            #expect(wrong.status == 400 && wrong.code == "BadDigest")
            #expect(try await world.ask("HEAD", "/bucket/wrong").status == 404)
        }
    }

    @Test func `signed chunks, and what happens to them on the way`() async throws {
        try await GatewayWorld.with { world in
            _ = try await world.ask("PUT", "/bucket")
            let mode = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
            #expect(try await put(world, "/bucket/k", mode: mode).status == 200)
            #expect(try await world.ask("GET", "/bucket/k").body == body)
            let flipped = try await put(world, "/bucket/bad", mode: mode) { $0[70000] ^= 1 }
            #expect(flipped.status == 403 && flipped.code == "SignatureDoesNotMatch")
            let cut = try await put(world, "/bucket/bad", mode: mode) { $0.removeLast(2000) }
            #expect(cut.status == 400 && cut.code == "IncompleteBody")
            #expect(try await world.ask("HEAD", "/bucket/bad").status == 404)
        }
    }

    @Test func `presigned requests`() async throws {
        try await GatewayWorld.with { world in
            _ = try await world.ask("PUT", "/bucket")
            func ask(
                _ method: String, seconds: Int = 60, ago: Int64 = 0, body: [UInt8] = []
            ) async throws -> RawConnection.Response {
                var head = S3RequestHead(
                    method: method, target: "/bucket/a%2Bb%20c",
                    headers: S3Headers([("host", "localhost")]))
                let now = SystemClocks().wall.milliseconds - ago * 1000
                world.signer.presign(&head, seconds: seconds, now: WallTime(milliseconds: now))
                let connection = try await RawConnection.open(world.port)
                try await connection.send(GatewayWorld.bytes(head, body: body))
                return try await connection.response(to: method)
            }
            #expect(try await ask("PUT", body: body).status == 200)
            #expect(try await ask("GET").body == body)
            #expect(try await ask("HEAD").status == 200)
            let late = try await ask("GET", ago: 100)
            #expect(late.status == 403 && late.text.contains("Request has expired"))
            #expect(try await world.ask("GET", "/bucket/a+b%20c").body == body)
        }
    }

    @Test func `presigned requests of old clients read and write objects only`() async throws {
        try await GatewayWorld.with { world in
            _ = try await world.ask("PUT", "/bucket")
            func ask(_ method: String, _ path: String) async throws -> RawConnection.Response {
                var head = S3RequestHead(
                    method: method, target: path, headers: S3Headers([("host", "localhost")]))
                let root = GatewayWorld.rootKey
                head.query = SigV2Claim.presign(
                    head, accessKey: root.id, secret: root.secret,
                    expires: SystemClocks().wall.milliseconds / 1000 + 60)
                let connection = try await RawConnection.open(world.port)
                try await connection.send(
                    GatewayWorld.bytes(head, body: method == "PUT" ? [5] : []))
                return try await connection.response(to: method)
            }
            #expect(try await ask("PUT", "/bucket/k").status == 200)
            #expect(try await ask("GET", "/bucket/k").body == [5])
            for (method, path) in [("GET", "/"), ("GET", "/bucket"), ("DELETE", "/bucket/k")] {
                #expect(try await ask(method, path).code == "InvalidRequest", "\(method) \(path)")
            }
            #expect(try await ask("GET", "/-/admin/v1/keys").code == "NoSuchBucket")
        }
    }

    @Test func `virtual hosts name buckets`() async throws {
        try await GatewayWorld.with(domain: "s3.test") { world in
            let host = "my.bucket.s3.test:9000"
            let made = try await world.ask("PUT", "/", host: host)
            #expect(made.status == 200)
            #expect(try await world.ask("PUT", "/k", body: [1], host: host).status == 200)
            #expect(try await world.ask("GET", "/my.bucket/k").body == [1])
            #expect(try await world.ask("GET", "/k", host: host).body == [1])
        }
    }
}
