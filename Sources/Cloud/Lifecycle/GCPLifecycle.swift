import Core
import Synchronization

/// Google's graceful shutdown and preemption, by long polls of the metadata server ("Graceful
/// shutdown", "Spot VMs", Compute Engine documentation).
package final class GCPLifecycle: LifecycleWatch {
    private let client: GCPClient
    /// Of the last answer; `0`: answer at once.
    private let lastTag = Mutex("0")

    package init(client: GCPClient) { self.client = client }

    /// The long poll pauses; where the value does not exist it can't wait.
    package var pause: Duration { .seconds(5) }
    /// The machine ends the wait by powering off.
    package var heartbeatPause: Duration? { nil }

    package func look() async throws(CloudError) -> LifecycleNotice? {
        let shell = client.shell
        let now = shell.round()
        let preempted = try await client.metadata(GCPMetadata.preemptedPath, now)
        if let notice = Self.notice(preempted: preempted) { return notice }
        let limit =
            Duration.seconds(CloudLimits.longPollSeconds) + CloudLimits.longPollSlack
        let request = GCPMetadata.waiting(
            shell.endpoints.gcpMetadata, GCPMetadata.stopStatePath,
            lastTag: lastTag.withLock { $0 })
        let reply = try client.checked(
            try await shell.once(request, shell.round(limit), limit: limit),
            GCPMetadata.stopStatePath)
        let tag = Self.tag(reply)
        lastTag.withLock { $0 = tag }
        return Self.notice(stopState: reply)
    }

    /// Of a header that becomes part of a URL.
    static func tag(_ reply: CloudReply) -> String {
        guard let tag = reply.headers["etag"], (1...64).contains(tag.utf8.count),
            tag.utf8.allSatisfy({ byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            })
        else { return "0" }
        return tag
    }

    /// 404 while nothing stops the machine.
    static func notice(stopState reply: CloudReply) -> LifecycleNotice? {
        guard reply.isFine, let word = reply.word(max: 100), word.hasPrefix("PENDING_") else {
            return nil
        }
        return LifecycleNotice(kind: .stopping, detail: "the stop state is \(word)")
    }

    static func notice(preempted reply: CloudReply) -> LifecycleNotice? {
        guard reply.isFine, reply.word(max: 100) == "TRUE" else { return nil }
        return LifecycleNotice(kind: .interruption, detail: "the VM is preempted")
    }

    package func heartbeat(_ notice: LifecycleNotice) async throws(CloudError) {}

    /// Nothing to say: a machine that is safe powers itself off, which whoever drains does.
    package func answer(
        _ notice: LifecycleNotice, _ result: LifecycleResult
    ) async throws(CloudError) {}
}
