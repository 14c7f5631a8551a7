import Core
import Testing

@testable import Cloud

@Suite struct LifecycleTests {
    private let endpoint = CloudEndpoint(isSecure: false, host: "169.254.169.254")

    @Test(arguments: [
        (404, "", false), (200, "InService", false), (200, "Terminated", true),
        (200, "Warmed:Stopped", false), (200, "Terminated\n", true),
    ]) func `Auto Scaling says where the instance is going`(
        status: Int, text: String, isEnd: Bool
    ) throws {
        let notice = try AWSLifecycle.notice(state: .text(text, status: status), "h")
        #expect((notice?.kind == .groupTermination) == isEnd)
    }

    @Test func `Spot says when`() throws {
        #expect(try AWSLifecycle.notice(spot: .text("", status: 404), "h") == nil)
        let notice = try AWSLifecycle.notice(
            spot: .text(#"{"action":"terminate","time":"2023-11-14T22:13:20Z"}"#), "h")
        #expect(
            notice
                == LifecycleNotice(
                    kind: .interruption, detail: "Spot: terminate",
                    deadline: WallTime(milliseconds: 1_700_000_000_000)))
    }

    @Test(arguments: [(LifecycleResult.safe, "CONTINUE"), (.unsafe, "ABANDON")])
    func `a hook is answered as it ended`(result: LifecycleResult, word: String) {
        let hook = AWSAutoScaling.Hook(name: "h", group: "g 1", instanceID: "i-1")
        let request = AWSAutoScaling.complete(endpoint, hook, result)
        #expect(
            String(decoding: request.body, as: UTF8.self)
                == "Action=CompleteLifecycleAction&Version=2011-01-01&LifecycleHookName=h"
                + "&AutoScalingGroupName=g%201&InstanceId=i-1&LifecycleActionResult=\(word)")
    }

    @Test func `Google says it by two values`() {
        #expect(GCPLifecycle.notice(stopState: .text("", status: 404)) == nil)
        #expect(GCPLifecycle.notice(stopState: .text("PENDING_STOP"))?.kind == .stopping)
        #expect(GCPLifecycle.notice(preempted: .text("FALSE")) == nil)
        #expect(GCPLifecycle.notice(preempted: .text("TRUE"))?.kind == .interruption)
    }

    private func event(
        _ id: String, _ type: String, _ resources: [String], status: String = "Scheduled"
    ) -> AzureLifecycle.Event {
        AzureLifecycle.Event(
            id: id, type: type, status: status, resources: resources,
            notBefore: "Tue, 14 Nov 2023 22:13:20 GMT")
    }

    @Test func `Azure's events concern whoever they name`() {
        let events = [
            event("1", "Terminate", ["vm-2"]), event("2", "Reboot", ["VM-1"]),
            event("3", "Terminate", ["vm-1", "vm-2"]),
        ]
        let notice = AzureLifecycle.notice(events, name: "vm-1")
        #expect(notice?.eventID == "3" && notice?.kind == .groupTermination)
        #expect(notice?.deadline == WallTime(milliseconds: 1_700_000_000_000))
        #expect(AzureLifecycle.notice([events[0]], name: "vm-1") == nil)
        #expect(AzureLifecycle.notice([events[1]], name: "vm-1")?.isFinal == false)
    }

    @Test func `only an event of this machine alone is acknowledged`() throws {
        let events = [
            event("1", "Terminate", ["vm-1"]), event("2", "Terminate", ["vm-1", "vm-2"]),
            event("3", "Terminate", ["vm-2"]), event("4", "Terminate", []),
            event("5", "Terminate", ["vm-1"], status: "Started"),
        ]
        for candidate in events {
            let notice = LifecycleNotice(
                kind: .groupTermination, detail: "", eventID: candidate.id)
            let request = try AzureLifecycle.acknowledgement(
                endpoint, of: notice, among: events, name: "vm-1")
            #expect((request != nil) == (candidate.id == "1"), "\(candidate)")
            if let request {
                #expect(
                    String(decoding: request.body, as: UTF8.self)
                        == #"{"StartRequests":[{"EventId":"1"}]}"#)
            }
        }
    }
}

extension CloudReply {
    fileprivate static func text(_ text: String, _ headers: [String: String]) -> CloudReply {
        .text(text, status: 200, headers)
    }
}
