import Core
import Foundation
import Synchronization

/// Auto Scaling's target life-cycle state, and the notice of Spot (Amazon EC2 Auto Scaling User
/// Guide, "Retrieve the target lifecycle state through instance metadata"; Amazon EC2 User Guide,
/// "Spot Instance interruption notices").
package final class AWSLifecycle: LifecycleWatch {
    /// The name that the templates give the hook of terminating instances.
    package static let hookName = "dst-terminating"

    private let client: AWSClient
    private let hookName: String
    private let hook = Mutex<AWSAutoScaling.Hook?>(nil)

    package init(client: AWSClient, hookName: String = AWSLifecycle.hookName) {
        self.client = client
        self.hookName = hookName
    }

    package var pause: Duration { .seconds(5) }
    /// The hook's time is 15 minutes or more; three beats may be lost.
    package var heartbeatPause: Duration? { .seconds(240) }

    package func look() async throws(CloudError) -> LifecycleNotice? {
        let deadline = client.shell.round()
        let host = client.metadataHost
        let state = try await client.metadata(AWSMetadata.lifecyclePath, deadline)
        let spot = try await client.metadata(AWSMetadata.spotPath, deadline)
        if let notice = try Self.notice(spot: spot, host) { return notice }
        return try Self.notice(state: state, host)
    }

    /// 404: the instance is in no group, or its state is not known yet.
    static func notice(
        state reply: CloudReply, _ host: String
    ) throws(CloudError) -> LifecycleNotice? {
        if reply.status == 404 { return nil }
        guard reply.isFine, let word = reply.word(max: 100) else {
            throw .unavailable(host, status: reply.status, detail: "", after: reply.retryAfter)
        }
        guard word == "Terminated" else { return nil }
        return LifecycleNotice(kind: .groupTermination, detail: "the target state is Terminated")
    }

    private struct SpotAction: Decodable {
        let action: String
        let time: String
    }

    /// 404: no interruption is planned.
    static func notice(
        spot reply: CloudReply, _ host: String
    ) throws(CloudError) -> LifecycleNotice? {
        if reply.status == 404 { return nil }
        guard reply.isFine else {
            throw .unavailable(host, status: reply.status, detail: "", after: reply.retryAfter)
        }
        let action = try JSONReply.decode(SpotAction.self, reply, from: host)
        // A hibernated or stopped instance keeps its disks, but its memory's clock stands still.
        return LifecycleNotice(
            kind: .interruption, detail: "Spot: \(Words.short(action.action))",
            deadline: JSONReply.seconds(action.time).map { WallTime(milliseconds: $0 * 1000) })
    }

    package func heartbeat(_ notice: LifecycleNotice) async throws(CloudError) {
        guard notice.kind == .groupTermination else { return }
        let deadline = client.shell.round()
        try await client.heartbeat(try await knownHook(deadline), deadline)
    }

    package func answer(
        _ notice: LifecycleNotice, _ result: LifecycleResult
    ) async throws(CloudError) {
        // Nobody waits for an answer to an interruption.
        guard notice.kind == .groupTermination else { return }
        let deadline = client.shell.round()
        try await client.complete(try await knownHook(deadline), result, deadline)
    }

    private func knownHook(
        _ deadline: CloudDeadline
    ) async throws(CloudError) -> AWSAutoScaling.Hook {
        if let known = hook.withLock({ $0 }) { return known }
        let found = try await client.hook(hookName, deadline)
        hook.withLock { $0 = found }
        return found
    }
}
