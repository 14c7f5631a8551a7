/// Pauses after errors: exponential with full jitter, never shorter than what the cloud asks for.
package struct CloudBackoff: Sendable {
    /// In a row.
    private var failureCount = 0

    package init() {}

    /// - Parameter chance: From 0 up to 1.
    /// - Returns: ``CloudLimits/backoffMin``...``CloudLimits/retryAfterMax``.
    package mutating func next(after error: CloudError, chance: Double) -> Duration {
        failureCount = min(failureCount + 1, 6)
        let top = min(CloudLimits.backoffMax, CloudLimits.backoffMin * (1 << failureCount))
        return max(CloudLimits.backoffMin, top * chance, error.retryAfter ?? .zero)
    }

    package mutating func reset() { failureCount = 0 }
}
