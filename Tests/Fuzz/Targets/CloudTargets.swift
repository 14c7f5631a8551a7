import Core
import Foundation

@testable import Cloud
@testable import Discovery

let cloudTargets = [
    FuzzTarget(name: "dns", runCount: 100_000, seeds: CloudSeeds.messages, run: feedDNS),
    FuzzTarget(
        name: "cloud-replies", runCount: 20_000, seeds: CloudSeeds.replies, run: feedReply),
]

// MARK: DNS

private func feedDNS(_ input: [UInt8]) {
    guard let reply = DNSMessage.parse(input) else { return }
    let count = reply.answers.count + reply.authorities.count
    check(count <= DiscoveryLimits.dnsRecordsMax, "\(count) records")
    for record in reply.answers {
        // A name that was read can be asked for.
        let bytes = DNSMessage.query(id: 1, DNSQuestion(name: record.name, type: .a))
        var reader = DNSReader(bytes: bytes)
        for _ in 0..<6 { _ = reader.number() }
        check(reader.name() == record.name, "\(record.name) became another")
        _ = record.name.description
    }
    for type in [DNSQuestion.RecordType.a, .aaaa, .srv] {
        let question = DNSQuestion(name: reply.name, type: type)
        guard let answer = try? DNSAnswer(reply, to: question) else { continue }
        check(answer.ttl >= DiscoveryLimits.dnsTTLMin, "a time to live of \(answer.ttl)")
        check(answer.ttl <= DiscoveryLimits.dnsTTLMax, "a time to live of \(answer.ttl)")
        if case .found(let data, _) = answer {
            check((1...DiscoveryLimits.dnsAddressesMax).contains(data.count), "\(data.count)")
        }
    }
}

// MARK: Replies

private let host = "cloud.example.com"
private let now = WallTime(milliseconds: 1_700_000_000_000)

/// The readers of the clouds' replies: what each makes of a body, or why not. By the first byte.
private let readers: [@Sendable (CloudReply) throws -> Void] = [
    { _ = try AWSInstances.page($0, host) },
    { _ = AWSFault.error($0, service: host, permission: "p") },
    { _ = try AWSMetadata.identity($0, host) },
    { _ = try AWSMetadata.credentials($0, host) },
    { _ = try AWSSecrets.value($0, host) },
    { reply in
        _ = try? AWSLifecycle.notice(state: reply, host)
        _ = try AWSLifecycle.notice(spot: reply, host)
    },
    { reply in
        let interfaces = try? AzureMachines.page(of: AzureMachines.Interface.self, reply, host)
        let page = try AzureMachines.page(of: AzureMachines.Machine.self, reply, host)
        _ = AzureMachines.joined(page.value, interfaces?.value ?? [], cluster: "c")
        let endpoint = CloudEndpoint(isSecure: true, host: "management.azure.com")
        let first = CloudRequest("GET", endpoint, "/first")
        let next = try AzureMachines.next(page.nextLink, of: first)
        check(next == nil || next?.endpoint == endpoint, "a token goes elsewhere")
    },
    { _ = AzureFault.error($0, service: host, permission: "p") },
    { _ = try AzureMetadata.identity($0, host) },
    { _ = try AzureMetadata.bearer($0, host, now: now) },
    { _ = try AzureSecrets.value($0, host) },
    { reply in
        let events = try AzureLifecycle.events(reply, host)
        check(events.count <= CloudLimits.eventsMax, "\(events.count) events")
        guard let notice = AzureLifecycle.notice(events, name: "vm") else { return }
        _ = try AzureLifecycle.acknowledgement(
            CloudEndpoint(isSecure: false, host: host), of: notice, among: events, name: "vm")
    },
    { _ = try GCPInstances.page($0, host) },
    { _ = GCPFault.error($0, service: host, permission: "p") },
    { _ = try GCPMetadata.token($0, host, now: now) },
    { _ = try GCPSecrets.value($0, host) },
    { reply in
        _ = GCPLifecycle.notice(stopState: reply)
        _ = GCPLifecycle.notice(preempted: reply)
        _ = reply.word()
        _ = reply.retryAfter
    },
    { _ = JSONReply.seconds(String(decoding: $0.body, as: UTF8.self)) },
]

private func feedReply(_ input: [UInt8]) {
    var script = Script(input)
    let reader = readers[Int(script.byte()) % readers.count]
    let statuses = [200, 400, 401, 403, 404, 429, 500, 503]
    let status = statuses[Int(script.byte()) % statuses.count]
    let headers = ["retry-after": script.line()]
    let reply = CloudReply(status: status, headers: headers, body: script.all())
    do {
        try reader(reply)
    } catch let error as CloudError {
        check(!"\(error)".isEmpty, "an error without words")
    } catch {
        preconditionFailure("an error of another kind: \(error)")
    }
}

private enum CloudSeeds {
    static func messages() -> [[UInt8]] {
        let name: [UInt8] = [1, 97, 7] + Array("example".utf8) + [0]
        let head: [UInt8] = [0, 1, 0x81, 0x80, 0, 1, 0, 2, 0, 1, 0, 0]
        func record(_ type: UInt8, _ data: [UInt8]) -> [UInt8] {
            [0xC0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, UInt8(data.count)] + data
        }
        func message(_ type: UInt8, _ records: [UInt8]) -> [UInt8] {
            head + name + [0, type, 0, 1] + records
        }
        let start = record(6, [0xC0, 12, 0xC0, 12] + [UInt8](repeating: 1, count: 20))
        return [
            message(1, record(1, [10, 0, 0, 1]) + record(1, [10, 0, 0, 2]) + start),
            message(28, record(5, [1, 98, 0xC0, 14]) + record(28, .init(repeating: 1, count: 16)))
                + start,
            message(33, record(33, [0, 1, 0, 2, 0x23, 0x28, 0xC0, 12]) + record(1, [1, 2, 3, 4]))
                + start,
        ]
    }

    static func replies() -> [[UInt8]] {
        let bodies: [(UInt8, String)] = [
            (
                0,
                """
                <DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1
                </instanceId><instanceState><name>running</name></instanceState><privateIpAddress>1
                </privateIpAddress><tagSet><item><key>dst-cluster</key><value>c</value></item>
                </tagSet></item></instancesSet></item></reservationSet><nextToken>t</nextToken>
                </DescribeInstancesResponse>
                """
            ),
            (1, "<Response><Errors><Error><Code>Throttling</Code></Error></Errors></Response>"),
            (1, #"{"__type":"a#AccessDeniedException","message":"m"}"#),
            (2, #"{"region":"eu-1","availabilityZone":"a","instanceId":"i","accountId":"1"}"#),
            (
                3,
                #"{"Code":"Success","AccessKeyId":"A","SecretAccessKey":"S","Token":"T","#
                    + #""Expiration":"2026-11-26T12:00:00Z"}"#
            ),
            (4, #"{"SecretString":"s"}"#),
            (5, #"{"action":"terminate","time":"2026-11-26T12:00:00Z"}"#), (5, "Terminated"),
            (
                6,
                #"{"value":[{"id":"i","name":"n","tags":{"dst-cluster":"c"},"zones":["1"],"#
                    + #""location":"l"}],"nextLink":"https://management.azure.com/x?y"}"#
            ),
            (7, #"{"error":{"code":"c","message":"m"}}"#),
            (
                8,
                #"{"compute":{"subscriptionId":"s","resourceGroupName":"g","name":"n","#
                    + #""location":"l"}}"#
            ),
            (9, #"{"access_token":"t","expires_on":"1700003600"}"#), (10, #"{"value":"s"}"#),
            (
                11,
                #"{"Events":[{"EventId":"e","EventType":"Terminate","Resources":["vm"],"#
                    + #""NotBefore":"Mon, 19 Sep 2016 18:29:47 GMT"}]}"#
            ),
            (
                12,
                #"{"items":{"zones/a":{"instances":[{"name":"n","status":"RUNNING","#
                    + #""labels":{"dst-cluster":"c"},"networkInterfaces":[{"networkIP":"1"}]}]}}}"#
            ),
            (13, #"{"error":{"message":"m","errors":[{"reason":"rateLimitExceeded"}]}}"#),
            (14, #"{"access_token":"t","expires_in":3600}"#),
            (15, #"{"payload":{"data":"AAAA","dataCrc32c":"1"}}"#), (16, "PENDING_STOP"),
            (17, "2026-11-26T12:00:00.5Z"),
        ]
        return bodies.map { [$0, 0] + Array("10\n\($1)".utf8) }
    }
}
