import Core
import Testing

@testable import Cloud

private let google = ["metadata-flavor": "Google"]

private func world(
    flavor: [String: String] = google,
    _ compute: @escaping @Sendable (CloudRequest, Int) -> CloudReply
) -> CloudWorld {
    CloudWorld { request, index in
        switch request.target {
        case "/computeMetadata/v1/project/project-id": .success(.text("p-1", flavor))
        case "/computeMetadata/v1/instance/service-accounts/default/token":
            .success(
                .text(#"{"access_token":"t\#(index)","expires_in":3599,"token_type":"B"}"#, flavor))
        default: .success(compute(request, index))
        }
    }
}

extension CloudReply {
    fileprivate static func text(_ text: String, _ headers: [String: String]) -> CloudReply {
        .text(text, status: 200, headers)
    }
}

@Suite struct GCPTests {
    @Test func `a list is asked for in one filter language`() {
        let request = GCPInstances.list(
            CloudEndpoints().compute, project: "p-1", cluster: "c1", token: "a/b")
        #expect(request.endpoint.description == "https://compute.googleapis.com")
        #expect(
            request.target
                == "/compute/v1/projects/p-1/aggregated/instances?filter=%28labels.dst-cluster%3D"
                + "%22c1%22%29%20AND%20%28status%3D%22RUNNING%22%29&maxResults=500&pageToken=a%2Fb")
    }

    @Test func `a page is read, with zones that are only a warning`() throws {
        let page = try GCPInstances.page(
            .text(
                """
                {"items":{"zones/europe-west1-b":{"instances":[{"id":"7","name":"n",
                "status":"RUNNING","labels":{"dst-role":"gateway","x":"y"},
                "zone":"https://g/zones/europe-west1-b","networkInterfaces":[{"networkIP":"10.0.0.1"}]}
                ]},"zones/europe-west1-c":{"warning":{"code":"NO_RESULTS_ON_PAGE"}},
                "zones/europe-west1-d":{"warning":{"code":"UNREACHABLE"}}},
                "nextPageToken":"t","unreachables":["zones/x"]}
                """), "h")
        #expect(
            page.instances == [
                CloudInstance(
                    id: "7", name: "n", state: .running, addresses: ["10.0.0.1"],
                    zone: "europe-west1-b", tags: ["dst-role": "gateway"])
            ])
        #expect(page.unreachables == ["zones/x"] && page.nextToken == "t")
        #expect(page.warnings == ["zones/europe-west1-d: UNREACHABLE"])
    }

    @Test func `zones that do not answer make a partial list`() async throws {
        let world = world { _, _ in .text(#"{"unreachables":["zones/x"]}"#) }
        let list = try await GCPClient(shell: world.shell).instances(
            cluster: "c", world.shell.round())
        #expect(list.isPartial && list.notes == ["zones/x did not answer"])
    }

    @Test func `a stranger at the metadata address is not believed`() async {
        let world = world(flavor: [:]) { _, _ in .text("{}") }
        let failure = await error {
            _ = try await GCPClient(shell: world.shell).instances(
                cluster: "c", world.shell.round())
        }
        #expect(failure == .notThisCloud(.gcp))
    }

    @Test func `a token that is refused is fetched anew, once`() async throws {
        let world = world { request, _ in
            request[header: "authorization"] == "Bearer t1"
                ? .text(#"{"error":{"message":"expired","status":"UNAUTHENTICATED"}}"#, status: 401)
                : .text("{}")
        }
        let list = try await GCPClient(shell: world.shell).instances(
            cluster: "c", world.shell.round())
        #expect(list.callCount == 2)
    }

    @Test func `a token is used until five minutes before its end`() async throws {
        let world = world { _, _ in .text("{}") }
        let client = GCPClient(shell: world.shell)
        func ask() async throws -> Int {
            _ = try await client.instances(cluster: "c", world.shell.round())
            return world.paths.count { $0.hasSuffix("/token") }
        }
        #expect(try await ask() == 1)
        world.clocks.advance(.seconds(3298))
        #expect(try await ask() == 1)
        world.clocks.advance(.seconds(2))
        #expect(try await ask() == 2)
    }

    @Test(arguments: [
        (403, "rateLimitExceeded", CloudError.throttled("compute.googleapis.com", after: nil)),
        (429, "x", .throttled("compute.googleapis.com", after: nil)),
        (403, "forbidden", .denied(permission: "compute.instances.list", detail: "forbidden: m")),
        (400, "bad", .refused("compute.googleapis.com", status: 400, detail: "bad: m")),
        (
            503, "backend",
            .unavailable("compute.googleapis.com", status: 503, detail: "backend: m", after: nil)
        ),
    ]) func `errors say what to do`(status: Int, reason: String, expected: CloudError) async {
        let world = world { _, _ in
            .text(
                #"{"error":{"code":1,"message":"m","errors":[{"reason":"\#(reason)"}]}}"#,
                status: status)
        }
        let failure = await error {
            _ = try await GCPClient(shell: world.shell).instances(
                cluster: "c", world.shell.round())
        }
        #expect(failure == expected)
    }

    @Test func `a secret is checked against its checksum`() throws {
        let sum = CRC32C.of(Array("hello".utf8))
        let good = try GCPSecrets.value(
            .text(#"{"payload":{"data":"aGVsbG8=","dataCrc32c":"\#(sum)"}}"#), "h")
        #expect(good == Array("hello".utf8))
        #expect(throws: CloudError.malformed("h", what: "another checksum than it says")) {
            try GCPSecrets.value(
                .text(#"{"payload":{"data":"aGVsbG8=","dataCrc32c":"1"}}"#), "h")
        }
    }
}
