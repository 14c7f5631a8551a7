import Core
import Testing

@testable import Cloud

/// EC2 as a scripted transport: the metadata service always answers, `ec2` the rest.
private func world(
    _ ec2: @escaping @Sendable (CloudRequest, Int) -> CloudReply
) -> CloudWorld {
    CloudWorld { request, index in
        switch request.target {
        case "/latest/api/token": .success(.text("session"))
        case "/latest/dynamic/instance-identity/document":
            .success(
                .text(
                    #"{"region":"eu-west-1","availabilityZone":"eu-west-1b","instanceId":"i-1","#
                        + #""privateIp":"10.0.0.1","accountId":"1"}"#))
        case "/latest/meta-data/iam/security-credentials/": .success(.text("role\n"))
        case "/latest/meta-data/iam/security-credentials/role":
            .success(
                .text(
                    #"{"Code":"Success","AccessKeyId":"AK\#(index)","SecretAccessKey":"s","#
                        + #""Token":"t","Expiration":"2023-11-14T23:13:20Z"}"#))
        default: .success(ec2(request, index))
        }
    }
}

private func page(_ ids: [String], token: String = "") -> CloudReply {
    let items = ids.map {
        "<item><instancesSet><item><instanceId>\($0)</instanceId><instanceState><name>running</name>"
            + "</instanceState><privateIpAddress>10.0.0.9</privateIpAddress></item></instancesSet>"
            + "</item>"
    }.joined()
    return .text(
        "<DescribeInstancesResponse><reservationSet>\(items)</reservationSet>"
            + "<nextToken>\(token)</nextToken></DescribeInstancesResponse>")
}

private func fault(_ status: Int, _ code: String, _ message: String = "m") -> CloudReply {
    .text(
        "<Response><Errors><Error><Code>\(code)</Code><Message>\(message)</Message></Error></Errors>"
            + "</Response>", status: status)
}

@Suite struct AWSTests {
    private let endpoint = CloudEndpoint(isSecure: true, host: "ec2.eu-west-1.amazonaws.com")

    @Test func `a list is asked for as botocore asks`() {
        let request = AWSInstances.list(endpoint, cluster: "c1", token: nil)
        #expect(
            String(decoding: request.body, as: UTF8.self)
                == "Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=tag%3Adst-cluster"
                + "&Filter.1.Value.1=c1&Filter.2.Name=instance-state-name"
                + "&Filter.2.Value.1=pending&Filter.2.Value.2=running&MaxResults=1000")
        let next = AWSInstances.list(endpoint, cluster: "c1", token: "a+/=")
        #expect(String(decoding: next.body, as: UTF8.self).hasSuffix("&NextToken=a%2B%2F%3D"))
    }

    @Test func `a page is read with what matters of it`() throws {
        let text = """
            <?xml version="1.0"?>
            <DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">
            <reservationSet><item><groupSet/><instancesSet>
            <item><instanceId>i-1</instanceId><instanceState><code>16</code><name>running</name>
            </instanceState><privateIpAddress>10.0.0.1</privateIpAddress><placement>
            <availabilityZone>eu-west-1a</availabilityZone></placement><tagSet>
            <item><key>dst-role</key><value>storage</value></item>
            <item><key>Name</key><value>x</value></item></tagSet>
            <networkInterfaceSet><item><ipv6AddressesSet><item><ipv6Address>fd00::1</ipv6Address>
            </item></ipv6AddressesSet></item></networkInterfaceSet></item>
            <item><instanceId>i-2</instanceId><instanceState><name>pending</name></instanceState>
            </item></instancesSet></item></reservationSet><nextToken>n</nextToken>
            </DescribeInstancesResponse>
            """
        let page = try AWSInstances.page(.text(text), "h")
        #expect(
            page.instances == [
                CloudInstance(
                    id: "i-1", name: "i-1", state: .running, addresses: ["10.0.0.1", "fd00::1"],
                    zone: "eu-west-1a", tags: ["dst-role": "storage"]),
                CloudInstance(
                    id: "i-2", name: "i-2", state: .pending, addresses: [], zone: nil, tags: [:]),
            ])
        #expect(page.nextToken == "n")
    }

    @Test func `pages are followed, also behind an empty one`() async throws {
        let world = world { request, _ in
            let body = String(decoding: request.body, as: UTF8.self)
            if body.contains("NextToken=b") { return page(["i-3"]) }
            if body.contains("NextToken=a") { return page([], token: "b") }
            return page(["i-1", "i-2"], token: "a")
        }
        let list = try await AWSClient(shell: world.shell).instances(
            cluster: "c", world.shell.round())
        #expect(list.instances.map(\.id) == ["i-1", "i-2", "i-3"])
        #expect(list.callCount == 3 && !list.isPartial)
    }

    @Test func `pages without an end are a partial list`() async throws {
        let world = world { _, _ in page(["i-1"], token: "again") }
        let list = try await AWSClient(shell: world.shell).instances(
            cluster: "c", world.shell.round())
        #expect(list.callCount == CloudLimits.pagesMax && list.isPartial)
    }

    @Test func `expired credentials are fetched anew, once`() async throws {
        let good = world { _, index in
            // The first credentials have a number; their token is refused.
            index < 5 ? fault(400, "ExpiredToken") : page(["i-1"])
        }
        let list = try await AWSClient(shell: good.shell).instances(
            cluster: "c", good.shell.round())
        #expect(list.instances.count == 1 && list.callCount == 2)

        let bad = world { _, _ in fault(401, "AuthFailure", "no") }
        let failure = await error {
            _ = try await AWSClient(shell: bad.shell).instances(cluster: "c", bad.shell.round())
        }
        #expect(
            failure == .credentialsRefused(endpoint.host, detail: "AuthFailure: no"))
        #expect(bad.paths.count { $0.hasSuffix("amazonaws.com/") } == 2)
    }

    @Test func `credentials are kept until five minutes before their end`() async throws {
        let world = world { _, _ in page([]) }
        let client = AWSClient(shell: world.shell)
        func ask() async throws -> Int {
            _ = try await client.instances(cluster: "c", world.shell.round())
            return world.paths.count { $0.hasSuffix("security-credentials/role") }
        }
        // The clocks stand at 22:13:20 and the credentials end at 23:13:20.
        #expect(try await ask() == 1)
        world.clocks.advance(.seconds(3299))
        #expect(try await ask() == 1)
        world.clocks.advance(.seconds(1))
        #expect(try await ask() == 2)
    }

    @Test(arguments: [
        (
            fault(403, "UnauthorizedOperation"),
            CloudError.denied(
                permission: "ec2:DescribeInstances", detail: "UnauthorizedOperation: m")
        ),
        (fault(400, "RequestExpired"), .clockWrong("ec2.eu-west-1.amazonaws.com")),
        (
            fault(503, "RequestLimitExceeded"),
            .throttled("ec2.eu-west-1.amazonaws.com", after: nil)
        ),
        (
            .text("", status: 503, ["retry-after": "7"]),
            .unavailable("ec2.eu-west-1.amazonaws.com", status: 503, detail: "", after: .seconds(7))
        ),
        (
            .text("", status: 429, ["retry-after": "86400"]),
            .throttled("ec2.eu-west-1.amazonaws.com", after: .seconds(120))
        ),
        (
            fault(400, "InvalidParameterValue"),
            .refused(
                "ec2.eu-west-1.amazonaws.com", status: 400, detail: "InvalidParameterValue: m")
        ),
        (.text("<html>"), .malformed("ec2.eu-west-1.amazonaws.com", what: "no XML")),
    ]) func `errors say what to do`(reply: CloudReply, expected: CloudError) async {
        let world = world { _, _ in reply }
        let failure = await error {
            _ = try await AWSClient(shell: world.shell).instances(
                cluster: "c", world.shell.round())
        }
        #expect(failure == expected)
    }

    @Test func `a session that is not known any more is replaced`() async throws {
        let world = CloudWorld { request, index in
            switch request.target {
            case "/latest/api/token": .success(.text("session-\(index)"))
            default:
                request[header: "x-aws-ec2-metadata-token"] == "session-0"
                    ? .success(.text("", status: 401))
                    : .success(.text("", status: 404))
            }
        }
        let client = AWSClient(shell: world.shell)
        let reply = try await client.metadata(AWSMetadata.spotPath, world.shell.round())
        #expect(reply.status == 404)
        #expect(world.paths.map { $0.prefix(3) } == ["PUT", "GET", "PUT", "GET"])
    }

    @Test func `version 1 of the metadata service is never asked`() async {
        let world = CloudWorld { _, _ in .success(.text("", status: 403)) }
        let failure = await error {
            _ = try await AWSClient(shell: world.shell).identity(world.shell.round())
        }
        #expect(failure == .notThisCloud(.aws))
        #expect(world.paths == ["PUT 169.254.169.254/latest/api/token"])
    }

    @Test func `the metadata service is tried three times`() async {
        let world = CloudWorld { _, _ in .failure(.late("x")) }
        let failure = await error {
            _ = try await AWSClient(shell: world.shell).identity(world.shell.round())
        }
        #expect(failure == .late("x"))
        #expect(world.paths.count == 3)
        #expect(world.sleeps.all == [.milliseconds(150), .milliseconds(300)])
    }

    @Test func `requests are signed for their service`() async throws {
        let world = world { _, _ in page([]) }
        _ = try await AWSClient(shell: world.shell).instances(cluster: "c", world.shell.round())
        let request = try #require(world.transport.requests.last)
        #expect(request[header: "x-amz-security-token"] == "t")
        let authorization = request[header: "authorization"] ?? ""
        #expect(authorization.contains("/20231114/eu-west-1/ec2/aws4_request"))
        #expect(
            authorization.contains(
                "SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;"
                    + "x-amz-security-token"))
    }

    @Test func `nothing secret is printed`() {
        let credentials = AWSCredentials(
            accessKey: "AKIA1234", secret: "hidden", token: "hidden",
            expires: WallTime(milliseconds: 0))
        #expect("\(credentials)" == "credentials AKIA…")
        #expect(!String(reflecting: credentials).contains("hidden"))
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func `no reply stops the process`(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var body = page(["i-1", "i-2"], token: "t").body
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            body[Int.random(in: 0..<body.count, using: &random)] = UInt8.random(
                in: 0...255, using: &random)
        }
        let reply = CloudReply(status: 200, body: body)
        _ = try? AWSInstances.page(reply, "h")
        _ = AWSFault.error(
            CloudReply(status: 400, body: body), service: "s", permission: "p")
    }
}
