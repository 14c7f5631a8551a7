import Core

/// Google's graceful shutdown and preemption, asked of the metadata server ("Graceful shutdown",
/// "Spot VMs", Compute Engine documentation).
///
/// No long polls: a look would wait for one of two values while the other changes, and a preemption
/// leaves 30 s.
package struct GCPLifecycle: LifecycleWatch {
    let client: GCPClient

    package var pause: Duration { .seconds(5) }
    /// The machine ends the wait by powering off.
    package var heartbeatPause: Duration? { nil }

    package func look() async throws(CloudError) -> LifecycleNotice? {
        let now = client.shell.round()
        let preempted = try await client.metadata(GCPMetadata.preemptedPath, now)
        if let notice = Self.notice(preempted: preempted) { return notice }
        return Self.notice(
            stopState: try await client.metadata(GCPMetadata.stopStatePath, now))
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
