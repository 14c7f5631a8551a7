import Core
import S3
import Testing

@testable import Gateway

@Suite struct BucketAndListTests {
    private func read(_ response: RawConnection.Response) throws -> XMLElement {
        try XMLReader.read(response.body)
    }

    @Test func `the life of a bucket`() async throws {
        try await GatewayWorld.with { world in
            #expect(try await world.ask("HEAD", "/bucket").status == 404)
            let made = try await world.ask("PUT", "/bucket")
            #expect(made.status == 200 && made["location"] == "/bucket")
            #expect(try await world.ask("PUT", "/bucket").code == "BucketAlreadyOwnedByYou")
            let head = try await world.ask("HEAD", "/bucket")
            #expect(head.status == 200 && head["x-amz-bucket-region"] == "eu-test-1")
            let list = try read(try await world.ask("GET", "/"))
            #expect(list.name == "ListAllMyBucketsResult")
            let names = list.child("Buckets")?.children.compactMap { $0.text(of: "Name") }
            #expect(names == ["bucket"])
            _ = try await world.ask("PUT", "/bucket/k", body: [1])
            #expect(try await world.ask("DELETE", "/bucket").code == "BucketNotEmpty")
            _ = try await world.ask("DELETE", "/bucket/k")
            #expect(try await world.ask("DELETE", "/bucket").status == 204)
            #expect(try await world.ask("GET", "/bucket").code == "NoSuchBucket")
            #expect(try await world.ask("PUT", "/Bad_Name").code == "InvalidBucketName")
        }
    }

    @Test func `regions and settings`() async throws {
        try await GatewayWorld.with { world in
            func create(_ region: String) async throws -> RawConnection.Response {
                try await world.ask(
                    "PUT", "/bucket",
                    body: Array(
                        ("<CreateBucketConfiguration><LocationConstraint>\(region)"
                            + "</LocationConstraint></CreateBucketConfiguration>").utf8))
            }
            #expect(
                try await create("us-west-2").code == "IllegalLocationConstraintException")
            #expect(try await create("eu-test-1").status == 200)
            let location = try await world.ask("GET", "/bucket?location")
            #expect(location.text.contains(">eu-test-1</LocationConstraint>"))
            #expect(try await world.ask("GET", "/bucket?versioning").status == 200)
            #expect(try await world.ask("GET", "/nobody?versioning").code == "NoSuchBucket")
            #expect(try await world.ask("GET", "/bucket?policy").code == "NoSuchBucketPolicy")
            #expect(try await world.ask("PUT", "/bucket?versioning").code == "NotImplemented")
            #expect(try await world.ask("DELETE", "/bucket?policy").status == 204)
            #expect(try await world.ask("GET", "/bucket?versions").status == 501)
        }
    }

    @Test func `listings, page by page`() async throws {
        try await GatewayWorld.with { world in
            _ = try await world.ask("PUT", "/bucket")
            let keys = ["a", "b/1", "b/2", "c d", "é+/x", "z&<>"]
            for key in keys {
                let target = "/bucket/" + PercentCoding.encoded(key, keepsSlash: true)
                #expect(try await world.ask("PUT", target, body: [1]).status == 200)
            }
            var found: [String] = []
            var query = "list-type=2&max-keys=2"
            while true {
                let page = try read(try await world.ask("GET", "/bucket?\(query)"))
                found += page.children.filter { $0.name == "Contents" }
                    .compactMap { $0.text(of: "Key") }
                guard page.text(of: "IsTruncated") == "true" else { break }
                let token = page.text(of: "NextContinuationToken") ?? ""
                query =
                    "list-type=2&max-keys=2&continuation-token=\(PercentCoding.encoded(token))"
            }
            #expect(found == ["a", "b/1", "b/2", "c d", "z&<>", "é+/x"])

            let tree = try read(
                try await world.ask("GET", "/bucket?delimiter=%2F&encoding-type=url&max-keys=3"))
            let prefixes = tree.children.filter { $0.name == "CommonPrefixes" }
            #expect(prefixes.compactMap { $0.text(of: "Prefix") } == ["b/"])
            #expect(tree.text(of: "NextMarker") == "c%20d")
            let rest = try read(
                try await world.ask(
                    "GET", "/bucket?delimiter=%2F&encoding-type=url&marker=c%20d"))
            #expect(rest.child("Contents")?.text(of: "Key") == "z%26%3C%3E")
            #expect(rest.child("CommonPrefixes")?.text(of: "Prefix") == "%C3%A9%2B/")
            #expect(
                try await world.ask("GET", "/bucket?list-type=2&continuation-token=").code
                    == "InvalidArgument")
            let none = try read(try await world.ask("GET", "/bucket?max-keys=0"))
            #expect(none.child("Contents") == nil && none.text(of: "IsTruncated") == "false")
        }
    }

    @Test func `many keys are deleted at once`() async throws {
        try await GatewayWorld.with { world in
            _ = try await world.ask("PUT", "/bucket")
            for key in ["a", "b", "c"] {
                _ = try await world.ask("PUT", "/bucket/\(key)", body: [1])
            }
            let document = Array(
                "<Delete><Object><Key>a</Key></Object><Object><Key>none</Key></Object></Delete>"
                    .utf8)
            let md5 = ("content-md5", Base64.encode(Digest.of(document, .md5)))
            let answer = try await world.ask("POST", "/bucket?delete", [md5], body: document)
            let deleted = try read(answer).children.compactMap { $0.text(of: "Key") }
            #expect(answer.status == 200 && deleted == ["a", "none"])
            let bad = ("content-md5", Base64.encode(Digest.of([1], .md5)))
            let refused = try await world.ask("POST", "/bucket?delete", [bad], body: document)
            #expect(refused.code == "BadDigest")
            let quiet = try await world.ask(
                "POST", "/bucket?delete",
                body: Array(
                    "<Delete><Quiet>true</Quiet><Object><Key>b</Key></Object></Delete>".utf8))
            #expect(try read(quiet).children.isEmpty)
            #expect(try await world.ask("HEAD", "/bucket/b").status == 404)
            #expect(try await world.ask("HEAD", "/bucket/c").status == 200)
        }
    }
}
