import Core
import Foundation
import Testing

@testable import Cloud

/// The clients over sockets, against the fakes in Python.
@Suite(.timeLimit(.minutes(2))) struct FakeCloudTests {
    private func shell(_ environment: [String: String]) throws -> CloudShell {
        CloudShell(endpoints: try CloudEndpoints(environment: environment))
    }

    private func aws(_ fake: FakeCloud) throws -> CloudClients {
        CloudClients(
            shell: try shell([
                "DST_AWS_EC2_ENDPOINT": fake.endpoint, "DST_AWS_IMDS_ENDPOINT": fake.endpoint,
                "DST_AWS_AUTOSCALING_ENDPOINT": fake.endpoint,
                "DST_AWS_SECRETS_ENDPOINT": fake.endpoint,
            ]))
    }

    private func gcp(_ fake: FakeCloud) throws -> CloudClients {
        CloudClients(
            shell: try shell([
                "GCE_METADATA_HOST": String(fake.endpoint.dropFirst(7)),
                "DST_GCP_COMPUTE_ENDPOINT": fake.endpoint,
                "DST_GCP_SECRETS_ENDPOINT": fake.endpoint,
            ]))
    }

    private func azure(_ fake: FakeCloud) throws -> CloudClients {
        CloudClients(
            shell: try shell([
                "DST_AZURE_IMDS_ENDPOINT": fake.endpoint, "DST_AZURE_ARM_ENDPOINT": fake.endpoint,
                "DST_AZURE_VAULT_ENDPOINT": fake.endpoint,
            ]))
    }

    private static let awsState = """
        {"page_size": 2, "empty_pages": 1, "secrets":
        {"arn:aws:secretsmanager:eu-west-1:1:secret:n": "s3cret"}, "instances": [
        {"id": "i-1", "ip": "10.0.0.1", "tags": {"dst-cluster": "c", "dst-role": "coordinator",
        "aws:autoscaling:groupName": "g"}},
        {"id": "i-2", "ip": "10.0.0.2", "tags": {"dst-cluster": "c"}},
        {"id": "i-3", "state": "pending", "tags": {"dst-cluster": "c"}},
        {"id": "i-4", "ip": "10.0.0.4", "state": "stopped", "tags": {"dst-cluster": "c"}},
        {"id": "i-5", "ip": "10.0.0.5", "tags": {"dst-cluster": "other"}}]}
        """

    @Test func `AWS: list, secret and life cycle`() async throws {
        let fake = try FakeCloud("aws", state: Self.awsState)
        let clouds = try aws(fake)
        #expect(try await clouds.aws.identity(clouds.shell.round()).instanceID == "i-1")
        let list = try await clouds.instances(of: .aws, cluster: "c", clouds.shell.round())
        #expect(list.instances.map(\.id) == ["i-1", "i-2", "i-3"])
        #expect(list.instances.map(\.addresses) == [["10.0.0.1"], ["10.0.0.2"], []])
        #expect(list.callCount == 3)
        let secret = try await clouds.secret(
            SecretReference("aws:arn:aws:secretsmanager:eu-west-1:1:secret:n"),
            clouds.shell.round())
        #expect(secret == Array("s3cret".utf8))

        let watch = clouds.lifecycle(of: .aws)
        #expect(try await watch.look() == nil)
        try await fake.set(#"{"target_lifecycle_state": "Terminated"}"#)
        let notice = try #require(try await watch.look())
        try await watch.heartbeat(notice)
        try await watch.answer(notice, .safe)
        let bodies = try await fake.requests().filter { $0.method == "POST" }.map(\.body).suffix(2)
        #expect(bodies.allSatisfy { $0.contains("AutoScalingGroupName=g&InstanceId=i-1") })
        #expect(bodies.last?.contains("LifecycleActionResult=CONTINUE") == true)
    }

    @Test func `AWS: failures pass or are named`() async throws {
        let fake = try FakeCloud("aws", state: Self.awsState)
        let clouds = try aws(fake)
        try await fake.set(
            #"{"failures": [{"path": "DescribeInstances", "status": 503, "retry_after": 7, "#
                + #""code": "RequestLimitExceeded"}]}"#)
        let host = String(fake.endpoint.dropFirst(7))
        let throttled = await error {
            _ = try await clouds.instances(of: .aws, cluster: "c", clouds.shell.round())
        }
        #expect(throttled == .throttled(host, after: .seconds(7)))
        // Credentials that ended early.
        try await fake.set(#"{"accepted_keys": ["AKIANEW"], "access_key": "AKIANEW"}"#)
        let list = try await clouds.instances(of: .aws, cluster: "c", clouds.shell.round())
        #expect(list.instances.count == 3)
        // The metadata service is overloaded once, and forgets the session once.
        try await fake.set(
            #"{"failures": [{"path": "/latest/dynamic", "status": 503, "count": 2}, "#
                + #"{"path": "/latest/dynamic", "status": 401, "count": 1}]}"#)
        #expect(try await clouds.aws.identity(clouds.shell.round()).instanceID == "i-1")
    }

    @Test func `GCP: list, secret and life cycle`() async throws {
        let fake = try FakeCloud(
            "gcp",
            state: """
                {"page_size": 1, "empty_pages": 1, "self": "n-1", "unreachables": ["zones/z"],
                "secrets": {"projects/p-1/secrets/n/versions/latest": "s3cret"}, "instances": [
                {"name": "n-1", "ip": "10.0.0.1", "zone": "europe-west1-b",
                "labels": {"dst-cluster": "c", "dst-role": "storage"}},
                {"name": "n-2", "ip": "10.0.0.2", "zone": "europe-west1-c",
                "labels": {"dst-cluster": "c"}},
                {"name": "n-3", "ip": "10.0.0.3", "zone": "europe-west1-c",
                "status": "TERMINATED", "labels": {"dst-cluster": "c"}}]}
                """)
        let clouds = try gcp(fake)
        let identity = try await clouds.gcp.identity(clouds.shell.round())
        #expect(identity.zone == "europe-west1-b" && identity.region == "europe-west1")
        let list = try await clouds.instances(of: .gcp, cluster: "c", clouds.shell.round())
        #expect(list.instances.map(\.name) == ["n-1", "n-2"] && list.isPartial)
        #expect(list.instances.map(\.zone) == ["europe-west1-b", "europe-west1-c"])
        let secret = try await clouds.secret(
            SecretReference("gcp:projects/p-1/secrets/n/versions/latest"), clouds.shell.round())
        #expect(secret == Array("s3cret".utf8))
        let watch = clouds.lifecycle(of: .gcp)
        #expect(try await watch.look() == nil)
        try await fake.set(#"{"stop_state": "PENDING_STOP"}"#)
        #expect(try await watch.look()?.kind == .stopping)
        try await fake.set(#"{"preempted": true}"#)
        #expect(try await watch.look()?.kind == .interruption)
    }

    @Test func `Azure: list, secret and life cycle`() async throws {
        let fake = try FakeCloud(
            "azure",
            state: """
                {"page_size": 1, "empty_pages": 1, "secrets": {"n": "s3cret"}, "instances": [
                {"name": "vm-1", "ip": "10.0.0.1", "zone": "1",
                "tags": {"dst-cluster": "c", "dst-role": "gateway"}},
                {"name": "vm-2", "zone": "2", "tags": {"dst-cluster": "c"}},
                {"name": "vm-3", "ip": "10.0.0.3", "tags": {"dst-cluster": "other"}}]}
                """)
        let clouds = try azure(fake)
        let list = try await clouds.instances(of: .azure, cluster: "c", clouds.shell.round())
        #expect(list.instances.map(\.name) == ["vm-1", "vm-2"])
        #expect(list.instances[0].addresses == ["10.0.0.1", "10.99.0.1"])
        #expect(list.callCount == 7)
        let secret = try await clouds.secret(
            SecretReference("azure:https://v.vault.azure.net/secrets/n"), clouds.shell.round())
        #expect(secret == Array("s3cret".utf8))
        let watch = clouds.lifecycle(of: .azure)
        #expect(try await watch.look() == nil)
        try await fake.set(
            """
            {"events": [{"EventId": "e-2", "EventType": "Terminate", "Resources": ["vm-1", "vm-2"],
            "EventStatus": "Scheduled"}, {"EventId": "e-1", "EventType": "Terminate",
            "Resources": ["vm-1"], "EventStatus": "Scheduled"}]}
            """)
        let notice = try #require(try await watch.look())
        #expect(notice.eventID == "e-2")
        try await watch.answer(notice, .safe)
        #expect(try await fake.requests().allSatisfy { $0.method != "POST" })
        // A next page at another host is not asked.
        try await fake.set(#"{"next_host": "http://127.0.0.1:9"}"#)
        let stolen = await error {
            _ = try await clouds.instances(of: .azure, cluster: "c", clouds.shell.round())
        }
        #expect(stolen == .foreignLink("http://127.0.0.1:9"))
    }

    @Test func `the cloud is found out`() async throws {
        let fake = try FakeCloud("azure")
        // Somebody listens at the other two, but in another way.
        let clouds = CloudClients(
            shell: try shell([
                "DST_AWS_IMDS_ENDPOINT": fake.endpoint, "DST_AZURE_IMDS_ENDPOINT": fake.endpoint,
                "GCE_METADATA_HOST": String(fake.endpoint.dropFirst(7)),
            ]))
        // Two seconds may be short where everything is tested at once.
        var detected: Cloud?
        for _ in 0..<10 where detected == nil { detected = try? await clouds.detect() }
        #expect(detected == .azure)
    }

    @Test func `a reply has limits`() async throws {
        let fake = try FakeCloud(
            "aws", state: #"{"role": "\#(String(repeating: "r", count: 9000))"}"#)
        let base = try #require(CloudEndpoint(fake.endpoint))
        let long = CloudRequest("GET", base, "/-/state", replyBytesMax: 1000)
        let tooLong = await error {
            _ = try await HTTPTransport.shared.send(long, within: .seconds(5))
        }
        #expect(tooLong == .tooLong(long.name, bytesMax: 1000))
        try await fake.set(#"{"delay_seconds": 2}"#)
        let slow = CloudRequest("PUT", base, "/latest/api/token")
        let late = await error {
            _ = try await HTTPTransport.shared.send(slow, within: .milliseconds(200))
        }
        #expect(late == .late(slow.name))
        let nobody = CloudRequest("GET", CloudEndpoint("http://127.0.0.1:9")!, "/")
        let refused = await error {
            _ = try await HTTPTransport.shared.send(nobody, within: .seconds(5))
        }
        guard case .unreachable("127.0.0.1:9", _) = refused else {
            Issue.record("\(String(describing: refused))")
            return
        }
    }

    @Test func `redirects are not followed`() async throws {
        let fake = try FakeCloud("aws")
        try await fake.set(
            #"{"failures": [{"path": "/latest/api/token", "status": 302, "#
                + #""headers": {"Location": "/-/state"}}]}"#)
        let base = try #require(CloudEndpoint(fake.endpoint))
        let reply = try await HTTPTransport.shared.send(
            CloudRequest("GET", base, "/latest/api/token"), within: .seconds(5))
        #expect(reply.status == 302)
    }
}
