import Core
import S3
import Testing

@testable import Gateway

@Suite struct RefusalTests {
    @Test func `nothing without a signature but the node's own`() async throws {
        try await GatewayWorld.with { world in
            _ = try await world.ask("PUT", "/bucket")
            for target in ["/", "/bucket", "/bucket/k", "/-/admin/v1/keys"] {
                let connection = try await RawConnection.open(world.port)
                try await connection.send(
                    Array("GET \(target) HTTP/1.1\r\nhost: x\r\n\r\n".utf8))
                let response = try await connection.response()
                #expect(response.status == 403 && response.code == "AccessDenied", "\(target)")
            }
            let connection = try await RawConnection.open(world.port)
            for (target, status) in [("/health", 200), ("/ready", 503), ("/metrics", 200)] {
                try await connection.send(
                    Array("GET \(target) HTTP/1.1\r\nhost: x\r\n\r\n".utf8))
                #expect(try await connection.response().status == status)
            }
            // A signed request means the bucket of that name.
            #expect(try await world.ask("GET", "/health").code == "NoSuchBucket")
        }
    }

    @Test func `wrong keys and signatures`() async throws {
        try await GatewayWorld.with { world in
            let root = GatewayWorld.rootKey
            for (id, secret, region, code) in [
                ("nobody", root.secret, "eu-test-1", "InvalidAccessKeyId"),
                (root.id, "wrong", "eu-test-1", "SignatureDoesNotMatch"),
                (root.id, root.secret, "us-east-1", "AuthorizationHeaderMalformed"),
            ] {
                let signer = SigV4Signer(accessKey: id, secret: secret, region: region)
                let response = try await world.ask("GET", "/", signer: signer)
                #expect(response.code == code)
            }
        }
    }

    @Test func `a body is asked for only after the head is accepted`() async throws {
        try await GatewayWorld.with { world in
            _ = try await world.ask("PUT", "/bucket")
            let expect = [("expect", "100-continue"), ("content-length", "5")]
            let good = try await RawConnection.open(world.port)
            let body = Array("hello".utf8)
            let head = world.request(
                "PUT", "/bucket/k", expect, payload: Hex.encode(Digest.of(body, .sha256)))
            try await good.send(head)
            #expect(try await good.response().status == 100)
            try await good.send(body)
            #expect(try await good.response().status == 200)

            let wrong = SigV4Signer(accessKey: "x", secret: "y", region: "eu-test-1")
            for (target, headers, signer, code) in [
                ("/bucket/k", expect, wrong, "InvalidAccessKeyId"),
                ("/nobucket/k", expect, world.signer, "NoSuchBucket"),
                (
                    "/bucket/k", expect + [("x-amz-acl", "public-read")], world.signer,
                    "NotImplemented"
                ),
            ] {
                let connection = try await RawConnection.open(world.port)
                try await connection.send(
                    world.request(
                        "PUT", target, headers, payload: "UNSIGNED-PAYLOAD", signer: signer))
                let response = try await connection.response()
                #expect(response.code == code)
                #expect(response["connection"] == "close")
                #expect(await connection.isClosedByServer())
            }
        }
    }

    @Test func `a body that is not what was said is not stored`() async throws {
        try await GatewayWorld.with { world in
            _ = try await world.ask("PUT", "/bucket")
            let body = Array("hello".utf8)
            let cases: [([(String, String)], String?, String)] = [
                ([], Hex.encode(Digest.of([1], .sha256)), "XAmzContentSHA256Mismatch"),
                ([("content-md5", Base64.encode(Digest.of([1], .md5)))], nil, "BadDigest"),
                ([("content-md5", "nonsense")], nil, "InvalidDigest"),
                ([("x-amz-checksum-crc32", "AAAAAA==")], nil, "BadDigest"),
                ([("x-amz-checksum-crc32", "AAAA")], nil, "InvalidRequest"),
            ]
            for (headers, payload, code) in cases {
                let put = try await world.ask(
                    "PUT", "/bucket/k", headers, body: body, payload: payload)
                #expect(put.status == 400 && put.code == code, "\(code)")
                #expect(try await world.ask("HEAD", "/bucket/k").status == 404)
            }
        }
    }

    @Test func `a client that goes away stores nothing`() async throws {
        try await GatewayWorld.with { world in
            _ = try await world.ask("PUT", "/bucket")
            let connection = try await RawConnection.open(world.port)
            let head = world.request(
                "PUT", "/bucket/k", [("content-length", "100000")], payload: "UNSIGNED-PAYLOAD")
            try await connection.send(head + [UInt8](repeating: 1, count: 50000))
            await connection.close()
            #expect(try await world.ask("HEAD", "/bucket/k").status == 404)
        }
    }

    @Test func `limits of sizes`() async throws {
        try await GatewayWorld.with { world in
            _ = try await world.ask("PUT", "/bucket")
            let long = String(repeating: "k", count: 1025)
            #expect(try await world.ask("PUT", "/bucket/\(long)").code == "KeyTooLongError")
            let metadata = [("x-amz-meta-a", String(repeating: "x", count: 3000))]
            #expect(
                try await world.ask("PUT", "/bucket/k", metadata).code == "MetadataTooLarge")
            let header = [("x-large", String(repeating: "x", count: 20000))]
            #expect(
                try await world.ask("GET", "/", header).code == "RequestHeaderSectionTooLarge")
            let huge = [("content-length", "\(6 << 30)")]
            let put = try await world.ask(
                "PUT", "/bucket/k", huge, payload: "UNSIGNED-PAYLOAD")
            #expect(put.code == "EntityTooLarge")
            let xml = [("content-length", "\(S3Limits.xmlBytesMax + 1)")]
            let delete = try await world.ask(
                "POST", "/bucket?delete", xml, payload: "UNSIGNED-PAYLOAD")
            #expect(delete.code == "MalformedXML")
        }
    }

    @Test func `garbage closes the connection and harms nobody`() async throws {
        try await GatewayWorld.with { world in
            for text in [
                "GET / HTTP/1.1\r\nno colon here\r\n\r\n", "GET\r\n\r\n",
                "GET / HTTP/9.9\r\n\r\n", "\u{0}\u{1}\u{2}\u{3}\r\n\r\n",
            ] {
                let connection = try await RawConnection.open(world.port)
                try await connection.send(Array(text.utf8))
                await connection.close()
            }
            #expect(try await world.ask("GET", "/").status == 200)
        }
    }

    @Test func `a gateway that hears nothing refuses`() async throws {
        try await GatewayWorld.with { world in
            world.setFresh(false)
            let response = try await world.ask("GET", "/")
            #expect(response.status == 503 && response.code == "ServiceUnavailable")
        }
    }

    @Test func `too many requests at once are told to slow down`() async throws {
        try await GatewayWorld.with(inFlightMax: 1) { world in
            _ = try await world.ask("PUT", "/bucket")
            let slow = try await RawConnection.open(world.port)
            try await slow.send(
                world.request(
                    "PUT", "/bucket/k", [("content-length", "1"), ("expect", "100-continue")],
                    payload: "UNSIGNED-PAYLOAD"))
            #expect(try await slow.response().status == 100)
            let other = try await world.ask("GET", "/")
            #expect(other.status == 503 && other.code == "SlowDown")
            try await slow.send([7])
            #expect(try await slow.response().status == 200)
            #expect(try await world.ask("GET", "/").status == 200)
        }
    }
}
