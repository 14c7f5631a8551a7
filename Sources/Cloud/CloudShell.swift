import Core
import Synchronization

/// When a round of calls must be over.
package struct CloudDeadline: Sendable, Equatable {
    package let at: MonotonicTime

    package init(_ limit: Duration, from now: MonotonicTime) {
        at = MonotonicTime(milliseconds: now.milliseconds + limit.wholeMilliseconds)
    }

    /// `nil` once it has passed.
    func left(_ now: MonotonicTime) -> Duration? {
        now < at ? .milliseconds(at.milliseconds - now.milliseconds) : nil
    }
}

/// Sends requests within their limits, again where that is cheap. Decides nothing about replies.
package struct CloudShell: Sendable {
    package let endpoints: CloudEndpoints
    package let clocks: any Clocks
    private let transport: any CloudTransport
    private let sleep: @Sendable (Duration) async -> Void
    private let chance: @Sendable () -> Double
    private let calls = Calls()

    private final class Calls: Sendable {
        let count = Atomic<Int>(0)
    }

    /// - Parameters:
    ///   - sleep: Returns early when its task is cancelled.
    ///   - chance: From 0 up to 1.
    package init(
        endpoints: CloudEndpoints, transport: any CloudTransport = HTTPTransport.shared,
        clocks: any Clocks = SystemClocks(),
        sleep: @escaping @Sendable (Duration) async -> Void = { try? await Task.sleep(for: $0) },
        chance: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) {
        self.endpoints = endpoints
        self.transport = transport
        self.clocks = clocks
        self.sleep = sleep
        self.chance = chance
    }

    package func round(_ limit: Duration = CloudLimits.roundTime) -> CloudDeadline {
        CloudDeadline(limit, from: clocks.monotonic)
    }

    /// Calls of APIs so far, whatever came of them. The metadata service's cost nothing.
    package var callCount: Int { calls.count.load(ordering: .relaxed) }

    /// One call of an API, which is not repeated: who asks has a schedule.
    package func once(
        _ request: CloudRequest, _ deadline: CloudDeadline
    ) async throws(CloudError) -> CloudReply {
        calls.count.add(1, ordering: .relaxed)
        return try await send(request, deadline, limit: CloudLimits.callTime)
    }

    /// One call that no quota counts.
    func send(
        _ request: CloudRequest, _ deadline: CloudDeadline, limit: Duration
    ) async throws(CloudError) -> CloudReply {
        guard let left = deadline.left(clocks.monotonic) else { throw .late(request.name) }
        return try await transport.send(request, within: min(left, limit))
    }

    /// A call of the metadata service: again where it does not answer, is overloaded or fails.
    ///
    /// - Parameter repeats: Further statuses that pass by themselves.
    package func metadata(
        _ request: CloudRequest, _ deadline: CloudDeadline, repeats: Set<Int> = []
    ) async throws(CloudError) -> CloudReply {
        var pause = CloudLimits.retryPause
        for attempt in 1...CloudLimits.metadataTries {
            let isLast = attempt == CloudLimits.metadataTries
            var wanted: Duration?
            do throws(CloudError) {
                let reply = try await send(request, deadline, limit: CloudLimits.metadataTime)
                let passes = reply.status == 429 || reply.status >= 500
                guard !isLast, passes || repeats.contains(reply.status) else { return reply }
                wanted = reply.retryAfter
            } catch {
                guard !isLast, error.isTransient, error != .cancelled else { throw error }
            }
            let rest = max(wanted ?? .zero, pause * (0.5 + chance() / 2))
            guard let left = deadline.left(clocks.monotonic), rest < left else {
                throw .late(request.name)
            }
            await sleep(rest)
            if Task.isCancelled { throw .cancelled }
            pause *= 2
        }
        preconditionFailure("the last try returns or throws")
    }
}
