import Core

/// Answers to life-cycle hooks (Amazon EC2 Auto Scaling API Reference, 2011-01-01).
enum AWSAutoScaling {
    static let groupTag = "aws:autoscaling:groupName"

    /// Which hook of which group waits for which instance.
    package struct Hook: Sendable, Equatable {
        package var name: String
        package var group: String
        package var instanceID: String

        package init(name: String, group: String, instanceID: String) {
            self.name = name
            self.group = group
            self.instanceID = instanceID
        }
    }

    static func complete(
        _ endpoint: CloudEndpoint, _ hook: Hook, _ result: LifecycleResult
    ) -> CloudRequest {
        request(
            endpoint, "CompleteLifecycleAction", hook,
            [("LifecycleActionResult", result == .safe ? "CONTINUE" : "ABANDON")])
    }

    static func heartbeat(_ endpoint: CloudEndpoint, _ hook: Hook) -> CloudRequest {
        request(endpoint, "RecordLifecycleActionHeartbeat", hook, [])
    }

    private static func request(
        _ endpoint: CloudEndpoint, _ action: String, _ hook: Hook, _ more: [(String, String)]
    ) -> CloudRequest {
        let parameters = [
            ("Action", action), ("Version", "2011-01-01"), ("LifecycleHookName", hook.name),
            ("AutoScalingGroupName", hook.group), ("InstanceId", hook.instanceID),
        ]
        return AWSSigning.query(
            endpoint, parameters + more, replyBytesMax: CloudLimits.metadataBytesMax)
    }
}

extension AWSClient {
    /// The hook that holds this instance: its group is the tag that Auto Scaling sets.
    ///
    /// - Throws: ``CloudError/notFound(_:)`` where the instance is in no group.
    func hook(_ name: String, _ deadline: CloudDeadline) async throws(CloudError)
        -> AWSAutoScaling.Hook
    {
        guard let own = try await own(deadline), let group = own.tags[AWSAutoScaling.groupTag]
        else { throw .notFound("an Auto Scaling group of this instance") }
        return AWSAutoScaling.Hook(name: name, group: group, instanceID: own.id)
    }

    func complete(
        _ hook: AWSAutoScaling.Hook, _ result: LifecycleResult, _ deadline: CloudDeadline
    ) async throws(CloudError) {
        let region = try await identity(deadline).region
        _ = try await signed(
            AWSAutoScaling.complete(shell.endpoints.autoScaling(region), hook, result),
            service: "autoscaling", region: region,
            permission: "autoscaling:CompleteLifecycleAction", deadline)
    }

    func heartbeat(
        _ hook: AWSAutoScaling.Hook, _ deadline: CloudDeadline
    ) async throws(CloudError) {
        let region = try await identity(deadline).region
        _ = try await signed(
            AWSAutoScaling.heartbeat(shell.endpoints.autoScaling(region), hook),
            service: "autoscaling", region: region,
            permission: "autoscaling:RecordLifecycleActionHeartbeat", deadline)
    }
}
